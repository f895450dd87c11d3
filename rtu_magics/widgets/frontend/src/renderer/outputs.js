// A cell's outputs as elements.

import { ansiFragment } from "./ansi.js";
import { h, note } from "./dom.js";
import { htmlFrame } from "./frame.js";
import { sourceFragment } from "./highlight.js";
import { markdownFragment, renderFormula } from "./markdown.js";
import { CELL_PIXELS, fromBase64, htmlCost, rasterCost, svgCost } from "./pictures.js";
import { frameHtml } from "./sanitise.js";
import { count, elide, markDeceiving, size } from "./text.js";

const SHOWN_FIRST = 20; // outputs of a cell; of more, some of both ends
const STEP = 100;
const AUTOMATIC = 1_000_000; // characters of an entry that is loaded without being asked for
const TEXT = { total: 50_000, line: 4_000, tail: 35_000 };
const MORE_TEXT = { total: 1_000_000, line: 100_000, tail: 500_000 };

/** The order in which the entries of a bundle are preferred. */
const PREFERRED = [
  "text/html", "text/markdown", "image/svg+xml", "text/latex",
  "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp",
  "application/json", "application/geo+json", "text/plain",
];
const NOT_HERE = new Map([
  ["application/vnd.jupyter.widget-view+json", "An interactive widget of the remote kernel works only there."],
  ["application/javascript", "A script of the remote cell is not run here."],
]);

/** Choose the entry of a bundle to show. */
export function preferred(data) {
  const names = Object.keys(data);
  if (Object.hasOwn(data, "text/html") && /<script\b/i.test(data["text/html"])) {
    // Interactive plots come with a picture beside the script that would draw them.
    const picture = PREFERRED.find((name) => name.startsWith("image/") && Object.hasOwn(data, name));
    if (picture) return picture;
  }
  return (
    PREFERRED.find((name) => Object.hasOwn(data, name)) ??
    names.find((name) => name.endsWith("+json") && !NOT_HERE.has(name)) ??
    names.find((name) => name.startsWith("text/")) ??
    null
  );
}

/**
 * Put a cell's outputs into an element.
 *
 * @param {HTMLElement} host
 * @param {Array<object>} outputs
 * @param {object} context `theme`, `root`, `width()`, `label` and `act`, and the cell's `ui`, which
 *   remembers what the reader has unfolded
 */
export function renderOutputs(host, outputs, context) {
  const { ui } = context;
  const limit = ui.outputs ?? SHOWN_FIRST;
  const children = [];
  const existing = new Map([...host.children].map((child) => [child.rtuKey, child]));
  context.spent = 0; // pixels of the pictures so far
  const add = (output) => {
    const key = `${output.id}/${output.rev ?? 0}/${ui.more?.has(output.id) ? 1 : 0}/${context.theme.key}`;
    const known = existing.get(key);
    const element = known ?? renderOutput(output, context);
    element.rtuKey = key;
    context.spent += element.rtuPixels ?? 0;
    children.push(element);
  };
  if (outputs.length <= limit) {
    outputs.forEach(add);
  } else {
    const tail = Math.min(5, limit);
    outputs.slice(0, limit - tail).forEach(add);
    const hidden = outputs.length - limit;
    children.push(
      note(`${count(hidden)} more outputs are not shown.`, `Show ${count(Math.min(STEP, hidden))} more`, () => {
        ui.outputs = limit + STEP;
        context.again();
      }),
    );
    outputs.slice(-tail).forEach(add);
  }
  reconcile(host, children);
}

/** Make an element's children these, moving as few as possible: a moved frame loads anew. */
export function reconcile(host, children) {
  const wanted = new Set(children);
  for (const child of [...host.childNodes]) if (!wanted.has(child)) child.remove();
  let at = host.firstChild;
  for (const child of children) {
    if (child === at) at = at.nextSibling;
    else host.insertBefore(child, at);
  }
}

function renderOutput(output, context) {
  if (output.k === "stream") return stream(output, context);
  if (output.k === "error") return failure(output, context);
  const element = h("div", { class: `rtu-output rtu-${output.k}` });
  try {
    bundle(element, output, context);
  } catch (error) {
    console.error("rtu-magics: an output cannot be shown", error);
    element.replaceChildren(note("This output cannot be shown."));
  }
  return element;
}

function pre(text, context, { kind = "", ansi = true, output, language } = {}) {
  const more = context.ui.more?.has(output?.id);
  const cut = elide(text, more ? MORE_TEXT : TEXT);
  const block = (part) => {
    const element = h("pre", { class: `rtu-pre ${kind}` });
    element.append(
      language ? sourceFragment(part, language) : ansi ? ansiFragment(part, context.theme.background) : part,
    );
    markDeceiving(element);
    return element;
  };
  const parts = [block(cut.text)];
  const hidden = cut.hidden + (output?.cut ?? 0);
  if (hidden) {
    const say = `${count(hidden)} characters are not shown.`;
    const element = more && !output?.cut
      ? note(say)
      : note(say, "Show more", () => {
          (context.ui.more ??= new Set()).add(output.id);
          if (output.cut) context.act({ a: "fetch", cell: context.cell, out: output.id, mime: "" });
          context.again();
        });
    parts.push(element);
    if (cut.rest) parts.push(block(cut.rest));
  }
  return parts;
}

function stream(output, context) {
  const element = h("div", { class: `rtu-output rtu-stream rtu-${output.name === "stderr" ? "stderr" : "stdout"}` });
  element.append(...pre(output.text, context, { output }));
  return element;
}

function failure(output, context) {
  const text = output.tb || `${output.ename}: ${output.evalue}`;
  const element = h("div", { class: "rtu-output rtu-error", role: "group", "aria-label": `Error: ${output.ename}` });
  element.append(...pre(text, context, { output }));
  return element;
}

function bundle(element, output, context) {
  const data = output.data ?? {};
  const missing = output.omit ?? {};
  const all = { ...Object.fromEntries(Object.keys(missing).map((name) => [name, ""])), ...data };
  const mimetype = preferred(all);
  const foreign = output.foreign ?? Object.keys(all).find((name) => NOT_HERE.has(name));
  if (mimetype === null) {
    const type = foreign ?? Object.keys(all)[0];
    element.append(note(NOT_HERE.get(type) ?? `An output of the type ${type || "(none)"} is not shown here.`));
    return;
  }
  if (!Object.hasOwn(data, mimetype)) {
    const length = missing[mimetype];
    const kind = mimetype.startsWith("image/") ? "picture" : mimetype.replace(/^(text|application)\//, "").toUpperCase();
    const load = () => context.act({ a: "fetch", cell: context.cell, out: output.id, mime: mimetype });
    if (length >= 0 && length <= AUTOMATIC) {
      element.append(h("div", { class: "rtu-loading", text: `Loading a ${kind} of ${size(length)} characters …` }));
      context.soon(output.id, load);
    } else {
      const about = length >= 0 ? ` of ${size(length)} characters` : "";
      element.append(
        note(`A large ${kind}${about} is left out.`, "Load it", (event) => {
          event.target.disabled = true;
          event.target.textContent = "Loading …";
          load();
        }),
      );
    }
    if (Object.hasOwn(data, "text/plain")) element.append(...pre(String(data["text/plain"]), context, { output }));
    return;
  }
  show(element, mimetype, data[mimetype], output, context);
  if (foreign && mimetype === "text/plain") element.append(note(NOT_HERE.get(foreign) ?? `${foreign} is not shown here.`));
}

function show(element, mimetype, value, output, context) {
  const text = typeof value === "string" ? value : Array.isArray(value) ? value.join("") : JSON.stringify(value, null, 2);
  if (mimetype === "text/html") html(element, text, output, context);
  else if (mimetype === "text/markdown") {
    const body = h("div", { class: "rtu-markdown" });
    body.append(markdownFragment(text));
    markDeceiving(body);
    element.append(body);
  } else if (mimetype === "text/latex") {
    const body = h("div", { class: "rtu-markdown rtu-latex" });
    if (/^\s*(\$|\\[([]|\\begin\{)/.test(text)) renderFormula(body, text);
    else body.append(markdownFragment(text));
    element.append(body);
  } else if (mimetype.startsWith("image/")) picture(element, mimetype, text, output, context);
  else if (mimetype.endsWith("json")) {
    const pretty = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    element.append(...pre(pretty, context, { output, language: "json" }));
  } else element.append(...pre(text, context, { output }));
}

const LARGE_HTML = 1_000_000; // characters; more is shown when asked for

function html(element, text, output, context) {
  if (text.length > LARGE_HTML && !context.ui.more?.has(output.id)) {
    element.append(
      note(`A large HTML output (${size(text.length)} characters) is folded.`, "Show it", () => {
        (context.ui.more ??= new Set()).add(output.id);
        context.again();
      }),
    );
    return;
  }
  const safe = frameHtml(text);
  if (leftOut(element, htmlCost(safe), "An HTML output", output, context)) return;
  const label = `HTML output of ${context.label()}`;
  const { theme, root } = context;
  element.append(htmlFrame(text, { safe, theme, root, width: context.width(), label }));
  if (/<script\b/i.test(text)) element.append(note("Scripts in this output are not run here."));
  if (/<(?:img|video|link)\b[^>]*(?:src|href)\s*=\s*["']?\s*(?:https?:)?\/\//i.test(text)) {
    element.append(note("What this output wants from other addresses is not loaded here."));
  }
}

/** Say what is too much of it to be drawn unasked; returns whether it is. */
function leftOut(element, { pixels, heavy }, what, output, context) {
  const together = context.spent + pixels > CELL_PIXELS ? `${count(pixels)} pixels more than the others of this cell` : null;
  const why = heavy ?? together;
  if (!why || context.ui.more?.has(output.id)) {
    element.rtuPixels = pixels;
    return false;
  }
  element.append(
    note(`${what} is not drawn: it holds ${why}, which may keep this page busy for a long time.`, "Draw it", () => {
      (context.ui.more ??= new Set()).add(output.id);
      context.again();
    }),
  );
  return true;
}

const IMAGE_TYPES = /^image\/(png|jpeg|gif|webp|bmp|svg\+xml)$/;

function picture(element, mimetype, value, output, context) {
  if (!IMAGE_TYPES.test(mimetype)) {
    element.append(note(`A picture of the type ${mimetype} is not shown here.`));
    return;
  }
  const svg = mimetype === "image/svg+xml";
  const broken = (...source) => [note(`This ${svg ? "SVG" : "picture"} is broken and cannot be shown.`), ...source];
  const cost = svg ? svgCost(value) : rasterCost(fromBase64(value));
  if (cost.broken) {
    element.append(...broken());
    return;
  }
  if (leftOut(element, cost, svg ? "An SVG" : "A picture", output, context)) return;
  const meta = output.meta?.[mimetype] ?? {};
  const size_ = (v) => (Number.isFinite(v) && v > 0 ? Math.min(Math.round(v), 10_000) : null);
  const image = h("img", {
    class: "rtu-image",
    alt: typeof meta.alt === "string" && meta.alt ? meta.alt : `Picture, output of ${context.label()}`,
    width: size_(meta.width),
    height: size_(meta.height),
    // As a picture, an SVG neither runs scripts nor loads anything.
    src: svg
      ? `data:image/svg+xml;charset=utf-8,${encodeURIComponent(withNamespace(value))}`
      : `data:${mimetype};base64,${value.replace(/\s+/g, "")}`,
    on: {
      error: () => {
        const source = svg ? pre(value, context, { output, ansi: false }) : [];
        image.replaceWith(...broken(...source));
      },
    },
  });
  element.append(image);
}

/** Inline SVG may lack its namespace, which a picture needs. */
function withNamespace(text) {
  return /<svg\b(?![^>]*\bxmlns\s*=)/i.test(text)
    ? text.replace(/<svg\b/i, '<svg xmlns="http://www.w3.org/2000/svg"')
    : text;
}
