// Markdown and formulas as nodes.

import katex from "katex";
import MarkdownIt from "markdown-it";
import { highlightHtml } from "./highlight.js";
import { pageFragment } from "./sanitise.js";

const LONGEST = 200_000; // characters of markdown that are rendered; more is shown as text
const LONGEST_FORMULA = 5_000;

let renderer = null;

function markdownIt() {
  if (renderer) return renderer;
  renderer = new MarkdownIt({ html: true, linkify: true, highlight: highlightHtml });
  renderer.inline.ruler.before("escape", "formula", inlineFormula);
  renderer.block.ruler.before("fence", "formula", blockFormula, {
    alt: ["paragraph", "reference", "blockquote", "list"],
  });
  renderer.renderer.rules.formula = (tokens, index) => {
    const tag = tokens[index].block ? "div" : "span";
    const text = renderer.utils.escapeHtml(tokens[index].content);
    return `<${tag} class="rtu-math">${text}</${tag}>`;
  };
  return renderer;
}

const PAIRS = [["$$", "$$"], ["\\(", "\\)"], ["\\[", "\\]"], ["$", "$"]];

function inlineFormula(state, silent) {
  const pair = PAIRS.find(([open]) => state.src.startsWith(open, state.pos));
  if (!pair) return false;
  const [open, close] = pair;
  const start = state.pos + open.length;
  let end = start - close.length;
  do end = state.src.indexOf(close, end + close.length);
  while (end > 0 && close[0] === "$" && state.src[end - 1] === "\\");
  if (end <= start || end > state.posMax) return false;
  const text = state.src.slice(start, end);
  // "$5 and $6" is money: a formula neither begins nor ends with a space, and no digit follows it.
  if (open === "$" && (/^\s|\s$/.test(text) || /^\d/.test(state.src.slice(end + 1)))) return false;
  if (!silent) {
    const token = state.push("formula", "", 0);
    token.content = open + text + close;
  }
  state.pos = end + close.length;
  return true;
}

function blockFormula(state, startLine, endLine, silent) {
  const first = state.bMarks[startLine] + state.tShift[startLine];
  const environment = /^\\begin\{([a-z]+\*?)\}/.exec(state.src.slice(first, state.eMarks[startLine]));
  const open = environment ? environment[0] : state.src.startsWith("$$", first) ? "$$" : null;
  if (!open) return false;
  const close = environment ? `\\end{${environment[1]}}` : "$$";
  const end = state.src.indexOf(close, first + open.length);
  if (end < 0) return false;
  let line = startLine;
  while (line < endLine && state.eMarks[line] < end + close.length) line++;
  if (line >= endLine || state.src.slice(end + close.length, state.eMarks[line]).trim()) return false;
  if (silent) return true;
  const token = state.push("formula", "", 0);
  token.block = true;
  token.content = state.src.slice(first, end + close.length);
  state.line = line + 1;
  return true;
}

/**
 * Put a formula into an element.
 *
 * @param {Element} element
 * @param {string} text with its delimiters
 */
export function renderFormula(element, text) {
  const trimmed = text.trim();
  const pair = PAIRS.find(([open, close]) => trimmed.startsWith(open) && trimmed.endsWith(close));
  const inner = pair && trimmed.length >= pair[0].length + pair[1].length
    ? trimmed.slice(pair[0].length, -pair[1].length)
    : trimmed;
  const display = !pair || pair[0] === "$$" || pair[0] === "\\[";
  if (inner.length > LONGEST_FORMULA) {
    element.textContent = text.slice(0, LONGEST_FORMULA);
    return;
  }
  try {
    katex.render(inner, element, {
      displayMode: display,
      output: "mathml", // the browser's own fonts: no style sheet, no font files
      throwOnError: true,
      trust: false,
      strict: "ignore",
      maxExpand: 500,
      maxSize: 20,
    });
  } catch {
    element.textContent = text;
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Return rendered markdown as nodes.
 *
 * @param {string} text
 * @param {Record<string, Record<string, string>>} [attachments] pictures of the cell, by name
 * @returns {DocumentFragment}
 */
export function markdownFragment(text, attachments = {}) {
  if (text.length > LONGEST) {
    const fragment = document.createDocumentFragment();
    fragment.append(text);
    return fragment;
  }
  const env = {};
  const md = markdownIt();
  const tokens = md.parse(text, env);
  const attach = (token) => {
    if (token.type === "image") {
      const source = token.attrGet("src") ?? "";
      const name = source.startsWith("attachment:") ? decoded(source.slice("attachment:".length)) : null;
      const bundle = name !== null && Object.hasOwn(attachments ?? {}, name) ? attachments[name] : null;
      const mimetype = bundle && Object.keys(bundle).find((name) => name.startsWith("image/"));
      if (mimetype) token.attrSet("src", `data:${mimetype};base64,${[bundle[mimetype]].flat().join("")}`);
    }
    token.children?.forEach(attach);
  };
  tokens.forEach(attach);
  const fragment = pageFragment(md.renderer.render(tokens, md.options, env));
  for (const element of fragment.querySelectorAll(".rtu-math")) {
    renderFormula(element, element.textContent);
  }
  return fragment;
}
