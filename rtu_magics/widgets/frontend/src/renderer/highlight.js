// Source text as coloured nodes.

import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import julia from "highlight.js/lib/languages/julia";
import latex from "highlight.js/lib/languages/latex";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import rust from "highlight.js/lib/languages/rust";
import scala from "highlight.js/lib/languages/scala";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { spansFragment } from "./sanitise.js";

const LANGUAGES = {
  bash, cpp, css, java, javascript, json, julia, latex, markdown, python, r, rust, scala, sql,
  typescript, xml, yaml,
};
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);

const OTHER_NAMES = new Map([["ipython", "python"], ["ipython3", "python"], ["c++17", "cpp"], ["c++", "cpp"], ["ir", "r"]]);
const LONGEST = 50_000; // characters; above this, colours cost more than they tell

/** The name of a language that is known here, whatever somebody has called it; null for others. */
function known(language) {
  if (typeof language !== "string") return null;
  const name = language.toLowerCase();
  const found = OTHER_NAMES.get(name) ?? name;
  return found && hljs.getLanguage(found) ? found : null;
}

/**
 * Return source text as nodes, coloured if its language is known.
 *
 * @param {string} text
 * @param {string} language
 * @returns {DocumentFragment}
 */
export function sourceFragment(text, language) {
  const name = known(language);
  if (text && text.length <= LONGEST && name) {
    try {
      return spansFragment(hljs.highlight(text, { language: name, ignoreIllegals: true }).value);
    } catch {
      // shown plainly below
    }
  }
  const fragment = document.createDocumentFragment();
  fragment.append(text);
  return fragment;
}

/** Markdown's fenced code, for markdown-it: HTML that is sanitised with the rest. */
export function highlightHtml(text, language) {
  const name = known(language);
  if (!name || text.length > LONGEST) return "";
  return hljs.highlight(text, { language: name, ignoreIllegals: true }).value;
}
