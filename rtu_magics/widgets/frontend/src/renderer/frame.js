// HTML outputs: each in a frame of its own, which runs no script and has no origin.

import { measureFragment } from "./sanitise.js";
import { h } from "./dom.js";

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

function measure(html, root, width) {
  if (html.length > 200_000) return TALLEST;
  const host = h("div", { class: "rtu-measure", "aria-hidden": "true" });
  const shadow = host.attachShadow({ mode: "closed" });
  const body = document.createElement("div");
  const style = document.createElement("style");
  style.textContent = STYLE.replace("body {", ".body {");
  body.className = "body";
  // An svg or a picture has no size of its own here.
  const pictures = (html.match(/<(svg|img|canvas|video)\b/gi) ?? []).length;
  body.append(measureFragment(html));
  shadow.append(style, body);
  host.style.width = `${Math.max(100, width)}px`;
  root.append(host);
  const height = body.scrollHeight;
  host.remove();
  return Math.max(24, Math.ceil(height) + 10 + pictures * 200 + (/<style\b|style\s*=/i.test(html) ? 8 : 0));
}
