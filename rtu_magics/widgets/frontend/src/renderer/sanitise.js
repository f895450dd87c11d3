// From HTML text to nodes, without anything that runs, loads, or reaches beyond its place.

import createDOMPurify from "dompurify";
import { CELL_PIXELS, urlCost } from "./pictures.js";

const CLASSES = /^(rtu-math|hljs(-[a-z_-]+)?|[a-z_-]+_|language-[\w+#-]+|ansi-[a-z-]+)$/;

const ACTIVE = [
  "form", "input", "button", "textarea", "select", "option", "label", "fieldset", "dialog",
  "meta", "base", "link", "iframe", "frame", "object", "embed", "audio", "video", "source", "track",
  "template", "slot", "canvas", "map", "area", "noscript", "portal",
];

let purifiers = null;

function purify(kind) {
  purifiers ??= { page: createDOMPurify(window), frame: createDOMPurify(window), spans: createDOMPurify(window) };
  const found = purifiers[kind];
  if (kind === "page" && !found.ready) {
    found.ready = true;
    // A class of the page around could make a remote cell cover it, an id stand for one of its own.
    found.addHook("uponSanitizeAttribute", (node, data) => {
      if (data.attrName === "class") {
        data.attrValue = data.attrValue.split(/\s+/).filter((name) => CLASSES.test(name)).join(" ");
        data.keepAttr = data.attrValue !== "";
      }
    });
    found.addHook("afterSanitizeAttributes", (node) => {
      if (node.tagName === "A") {
        node.setAttribute("target", "_blank");
        node.setAttribute("rel", "noopener noreferrer nofollow");
      }
    });
  }
  return found;
}

const LINKS = /^(?:https?:|mailto:|#)/i;
const DATA_IMAGE = /^data:image\/(?:png|jpe?g|gif|webp|svg\+xml)[;,]/i;

/**
 * Return HTML that stands in the page itself (rendered markdown) as nodes.
 *
 * @param {string} html
 * @returns {DocumentFragment}
 */
export function pageFragment(html) {
  const fragment = purify("page").sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    USE_PROFILES: { html: true },
    FORBID_TAGS: [...ACTIVE, "style", "svg", "math"],
    FORBID_ATTR: ["style", "id", "name", "background", "srcset", "usemap", "popover", "popovertarget"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
  });
  for (const link of fragment.querySelectorAll("a[href]")) {
    if (!LINKS.test(link.getAttribute("href"))) link.removeAttribute("href");
  }
  let room = CELL_PIXELS;
  for (const image of fragment.querySelectorAll("img")) {
    const source = image.getAttribute("src") ?? "";
    if (DATA_IMAGE.test(source)) {
      const { pixels, heavy } = urlCost(source);
      if (heavy || pixels > room) {
        const holds = heavy ?? `${pixels.toLocaleString("en-US")} pixels more than the others`;
        image.replaceWith(pictureButton(image, source, `Draw the picture that holds ${holds}`));
      } else room -= pixels;
      continue;
    }
    // Loading it would tell a foreign server who reads along: the reader decides.
    image.replaceWith(remoteImage(image, source));
  }
  return fragment;
}

function remoteImage(image, source) {
  const alt = image.getAttribute("alt") ?? "";
  const document = image.ownerDocument;
  let where = "";
  try {
    const url = new URL(source);
    if (url.protocol === "https:" || url.protocol === "http:") where = url.host;
  } catch {
    // no address at all: the picture lies beside the remote notebook
  }
  if (!where) {
    const missing = document.createElement("span");
    missing.className = "rtu-missing";
    missing.textContent = `[picture: ${alt || source.slice(0, 80)}]`;
    return missing;
  }
  return pictureButton(image, source, `Show picture from ${where}${alt ? `: ${alt}` : ""}`);
}

/** A button that draws a picture in its place. */
function pictureButton(image, source, text) {
  const document = image.ownerDocument;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "rtu-text-button rtu-remote-image";
  button.textContent = text;
  button.addEventListener("click", () => {
    const shown = document.createElement("img");
    shown.alt = image.getAttribute("alt") ?? "";
    shown.referrerPolicy = "no-referrer";
    shown.src = source;
    button.replaceWith(shown);
  });
  return button;
}

/** Return the HTML of a library that colours text (spans only) as nodes. */
export function spansFragment(html) {
  return purify("spans").sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    ALLOWED_TAGS: ["span", "#text"],
    ALLOWED_ATTR: ["class", "style"],
  });
}

/**
 * Return a whole HTML output for a sandboxed frame: its own styles are kept there.
 *
 * The frame alone keeps scripts from running; this takes out in advance what would only be broken
 * in it, or would lead it elsewhere.
 */
export function frameHtml(html) {
  return purify("frame").sanitize(html, {
    USE_PROFILES: { html: true, svg: true, svgFilters: true, mathMl: true },
    FORBID_TAGS: ACTIVE,
    ADD_TAGS: ["style"],
    FORCE_BODY: true,
    SANITIZE_DOM: false,
  });
}

/** Return nodes that take about as much room as an HTML output, to be measured and thrown away. */
export function measureFragment(html) {
  return purify("spans").sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    USE_PROFILES: { html: true },
    FORBID_TAGS: [...ACTIVE, "style", "svg", "math"],
    FORBID_ATTR: ["style", "src", "srcset", "background", "id", "name", "class", "poster"],
    ALLOW_DATA_ATTR: false,
  });
}
