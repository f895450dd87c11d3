// HTML outputs: each in a frame of its own, which runs no script and has no origin.

import { measureFragment } from "./sanitise.js";
import { h } from "./dom.js";
import { pictureRoom } from "./room.js";

const TALLEST = 480; // px; more scrolls inside, and the frame can be pulled larger
const POLICY =
  "default-src 'none'; img-src data:; media-src data:; font-src data:; style-src 'unsafe-inline'";

const STYLE = `
body { margin: 0; padding: 2px; font: 13px/1.4 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: break-word; }
table { border-collapse: collapse; font-size: 12px; }
table, th, td { border: 0; }
th, td { padding: 4px 8px; text-align: right; vertical-align: top; }
thead th { border-bottom: 1px solid color-mix(in srgb, currentColor 35%, transparent); }
tbody tr:nth-child(odd) { background: color-mix(in srgb, currentColor 6%, transparent); }
img, svg { max-width: 100%; height: auto; }
a { color: inherit; }
pre { margin: 0; white-space: pre-wrap; }
`;

/**
 * Return a frame that shows an HTML output.
 *
 * The frame's own height cannot be asked for from outside, so a harmless copy is measured.
 *
 * @param {string} html as it came, to be measured
 * @param {{safe: string, theme: {dark: boolean, foreground: string}, root: Element, width: number, label: string}} context `safe`: the same
 *   from `frameHtml`
 * @returns {HTMLElement}
 */
export function htmlFrame(html, { safe, theme, root, width, label }) {
  const scheme = theme.dark ? "dark" : "light";
  const frame = h("iframe", {
    class: "rtu-frame",
    sandbox: true, // empty: no scripts, no origin, no forms, no popups, no way to the top
    referrerpolicy: "no-referrer",
    loading: "eager",
    title: label,
    tabindex: "0",
  });
  frame.style.colorScheme = scheme;
  frame.style.height = `${Math.min(TALLEST, measure(html, root, width))}px`;
  frame.srcdoc =
    `<!doctype html><html><head><meta charset="utf-8">` +
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">` +
    // Links go nowhere: a new window is not allowed to this frame.
    `<base target="_blank"><style>:root{color-scheme:${scheme}} body{color:${theme.foreground};background:transparent}${STYLE}</style>` +
    `</head><body>${safe}</body></html>`;
  return frame;
}

/** Return the same HTML with nothing in the places of pictures but the room that they take. */
function withRoom(html, most) {
  const page = new DOMParser().parseFromString(html, "text/html"); // nothing is fetched, or run
  for (const one of page.querySelectorAll("img, svg, canvas, video")) {
    const tag = one.localName;
    const { width, height } = pictureRoom(tag, (name) => one.getAttribute(name), most);
    const room = page.createElement("img");
    room.width = Math.round(width);
    room.height = Math.round(height);
    one.replaceWith(room);
  }
  return page.body.innerHTML;
}

function standIn(room) {
  const place = h("span", {});
  place.style.display = "inline-block";
  place.style.width = `${room.getAttribute("width")}px`;
  place.style.height = `${room.getAttribute("height")}px`;
  room.replaceWith(place);
}

function measure(html, root, width) {
  if (html.length > 200_000) return TALLEST;
  const host = h("div", { class: "rtu-measure", "aria-hidden": "true" });
  const shadow = host.attachShadow({ mode: "closed" });
  const body = document.createElement("div");
  const style = document.createElement("style");
  style.textContent = STYLE.replace("body {", ".body {");
  body.className = "body";
  const wide = Math.max(100, width);
  body.append(measureFragment(withRoom(html, wide - 4)));
  for (const one of body.querySelectorAll("img")) standIn(one);
  shadow.append(style, body);
  host.style.width = `${wide}px`;
  root.append(host);
  const height = body.scrollHeight;
  host.remove();
  return Math.max(24, Math.ceil(height) + 10 + (/<style\b|style\s*=/i.test(html) ? 8 : 0));
}
