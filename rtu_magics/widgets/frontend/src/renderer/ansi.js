// Terminal text as nodes.

import { AnsiUp } from "ansi_up";
import { parseColour, readable } from "./colour.js";
import { spansFragment } from "./sanitise.js";
import { overwrite } from "./text.js";

/**
 * Return text with ANSI escapes as nodes.
 *
 * @param {string} text
 * @param {[number, number, number]} background what colours of 256 and more have to be read on
 * @returns {DocumentFragment}
 */
export function ansiFragment(text, background) {
  const clean = overwrite(text);
  if (!clean.includes("\x1b")) {
    const fragment = document.createDocumentFragment();
    fragment.append(clean);
    return fragment;
  }
  const ansi = new AnsiUp();
  ansi.use_classes = true;
  ansi.url_allowlist = Object.create(null); // a link may say one address and lead to another
  const fragment = spansFragment(ansi.ansi_to_html(clean));
  for (const span of fragment.querySelectorAll("[style]")) {
    const behind = parseColour(span.style.backgroundColor) ?? background;
    const colour = parseColour(span.style.color);
    if (colour) span.style.color = `rgb(${readable(colour, behind).join(",")})`;
  }
  return fragment;
}
