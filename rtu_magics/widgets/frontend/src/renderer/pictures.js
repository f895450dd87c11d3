// What a picture would cost, read off its bytes or its text before anything draws it. No DOM.
//
// A few kilobytes can unfold into gigabytes of pixels, or into filters that keep the tab busy for
// minutes. Browsers bound neither. What counts is what the bytes say they are: a browser looks at
// them, too, and not at the type that came along.

export const PIXELS = 25_000_000; // of one picture: a hundred megabytes once it is decoded
export const MOVING_PIXELS = 4_000_000; // of each frame of an animation
export const FRAMES = 2_000;
export const CELL_PIXELS = 60_000_000; // of all pictures of one cell's outputs, or of one text
const SIDE = 30_000;
const TAGS = 20_000; // of an SVG
const ELEMENTS = 50_000; // with what its references repeat
const DEPTH = 400;
const MOVING_ELEMENTS = 500;
const FILTERED = 30; // elements that are drawn through a filter, a mask or a pattern
const DASHED = 500;
const SVG_LENGTH = 4_000_000; // characters
const NESTED = 64; // pictures within an SVG

const byte = (bytes, at) => bytes.charCodeAt(at) || 0;
const be16 = (bytes, at) => byte(bytes, at) * 256 + byte(bytes, at + 1);
const le16 = (bytes, at) => byte(bytes, at) + byte(bytes, at + 1) * 256;
const le24 = (bytes, at) => le16(bytes, at) + byte(bytes, at + 2) * 65_536;
const be32 = (bytes, at) => be16(bytes, at) * 65_536 + be16(bytes, at + 2);
const le32 = (bytes, at) => le16(bytes, at) + le16(bytes, at + 2) * 65_536;

function png(bytes) {
  let frames = 1;
  for (let at = 8; at + 8 <= bytes.length; at += 12 + be32(bytes, at)) {
    if (bytes.startsWith("acTL", at + 4)) frames = be32(bytes, at + 8);
    else if (bytes.startsWith("IDAT", at + 4)) break; // the number of frames stands before it
  }
  return { width: be32(bytes, 16), height: be32(bytes, 20), frames };
}

function gif(bytes) {
  const table = (flags) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  const blocks = (at) => {
    while (at < bytes.length && byte(bytes, at)) at += byte(bytes, at) + 1;
    return at + 1;
  };
  let [width, height, frames] = [le16(bytes, 6), le16(bytes, 8), 0];
  let at = 13 + table(byte(bytes, 10));
  while (at < bytes.length) {
    const kind = byte(bytes, at);
    if (kind === 0x21) at = blocks(at + 2);
    else if (kind === 0x2c) {
      frames += 1;
      width = Math.max(width, le16(bytes, at + 1) + le16(bytes, at + 5));
      height = Math.max(height, le16(bytes, at + 3) + le16(bytes, at + 7));
      at = blocks(at + 11 + table(byte(bytes, at + 9)));
    } else break;
  }
  return { width, height, frames };
}

function jpeg(bytes) {
  let at = 2;
  while (at + 9 < bytes.length) {
    if (byte(bytes, at) !== 0xff) {
      at += 1;
      continue;
    }
    const kind = byte(bytes, at + 1);
    const isFrame = kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind);
    if (isFrame) return { width: be16(bytes, at + 7), height: be16(bytes, at + 5), frames: 1 };
    const alone = kind === 0xff || kind === 0x01 || kind === 0 || (kind >= 0xd0 && kind <= 0xd9);
    at += alone ? (kind === 0xff ? 1 : 2) : 2 + Math.max(2, be16(bytes, at + 2));
  }
  return null;
}

function webp(bytes) {
  let [width, height, frames] = [0, 0, 0];
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [kind, length, body] = [bytes.slice(at, at + 4), le32(bytes, at + 4), at + 8];
    if (kind === "VP8X") [width, height] = [le24(bytes, body + 4) + 1, le24(bytes, body + 7) + 1];
    else if (kind === "ANMF") frames += 1;
    else if (kind === "VP8 ") {
      width = Math.max(width, le16(bytes, body + 6) & 0x3fff);
      height = Math.max(height, le16(bytes, body + 8) & 0x3fff);
    } else if (kind === "VP8L") {
      const bits = le32(bytes, body + 1);
      width = Math.max(width, (bits & 0x3fff) + 1);
      height = Math.max(height, (Math.floor(bits / 16_384) & 0x3fff) + 1);
    }
    at = body + length + (length % 2);
  }
  return { width, height, frames: Math.max(1, frames) };
}

function bmp(bytes) {
  const old = le32(bytes, 14) === 12;
  const signed = (value) => Math.abs(value | 0);
  const width = old ? le16(bytes, 18) : signed(le32(bytes, 18));
  const height = old ? le16(bytes, 20) : signed(le32(bytes, 22));
  return { width, height, frames: 1 };
}

const KINDS = [
  ["\x89PNG\r\n\x1a\n", png], ["GIF87a", gif], ["GIF89a", gif], ["\xff\xd8\xff", jpeg],
  ["RIFF", (bytes) => (bytes.startsWith("WEBP", 8) ? webp(bytes) : null)], ["BM", bmp],
];

/**
 * Read the size of a picture of pixels.
 *
 * @param {string} bytes one character for each
 * @returns {{width: number, height: number, frames: number}|null} null if it is none of PNG, JPEG,
 *   GIF, WebP and BMP
 */
export function pictureSize(bytes) {
  const kind = KINDS.find(([start]) => bytes.startsWith(start));
  const found = kind ? kind[1](bytes) : null;
  return found && found.width > 0 && found.height > 0 ? found : null;
}

/** Decode base64; null if it is none. */
export function fromBase64(text) {
  try {
    return atob(text.replace(/\s+/g, ""));
  } catch {
    return null;
  }
}

const many = (n) => Math.round(n).toLocaleString("en-US");

/**
 * What is to be known of a picture before it is drawn.
 *
 * @typedef {{pixels: number, broken?: true, heavy?: string}} Cost
 *   `heavy` says what is too much of it, in words that go on after "it has" or "it is"
 */

/** @returns {Cost} of a picture of pixels, given as bytes */
export function rasterCost(bytes) {
  const found = bytes === null ? null : pictureSize(bytes);
  if (!found) return { pixels: 0, broken: true };
  const { width, height, frames } = found;
  const pixels = width * height;
  const size = `${many(width)} × ${many(height)} pixels`;
  if (pixels > PIXELS || width > SIDE || height > SIDE) return { pixels, heavy: size };
  if (frames > 1 && (pixels > MOVING_PIXELS || frames > FRAMES)) {
    return { pixels, heavy: `${many(frames)} frames of ${size}` };
  }
  return { pixels };
}

const END = [["<!--", "-->"], ["<![CDATA[", "]]>"], ["<?", "?>"]];

/** The tags of XML or HTML in one pass, whatever it is; what has no end is drawn by nobody. */
function* tags(text) {
  const naming = /[a-z_][\w.-]*(?::([\w.-]*))?/iy;
  for (let at = text.indexOf("<"); at >= 0; at = text.indexOf("<", at)) {
    const aside = END.find(([start]) => text.startsWith(start, at));
    if (aside) {
      at = text.indexOf(aside[1], at + aside[0].length);
      if (at < 0) return;
      continue;
    }
    const closing = text[at + 1] === "/";
    naming.lastIndex = at + (closing ? 2 : 1);
    const found = naming.exec(text);
    if (!found) {
      at += 1;
      continue;
    }
    const start = naming.lastIndex;
    let end = start;
    while (text[end] !== ">") {
      const quote = text[end];
      if (quote === undefined) return;
      if (quote === '"' || quote === "'") {
        end = text.indexOf(quote, end + 1);
        if (end < 0) return;
      }
      end += 1;
    }
    yield { closing, name: (found[1] ?? found[0]).toLowerCase(), attributes: text.slice(start, end) };
    at = end;
  }
}

/** What stands in the style elements of a text. */
function* sheets(text) {
  const lower = text.toLowerCase();
  for (let at = lower.indexOf("style"); at >= 0; at = lower.indexOf("style", at + 5)) {
    const before = lower[at - 1];
    if (before !== "<" && before !== ":") continue;
    const end = lower.indexOf("</", at);
    yield text.slice(at, end < 0 ? undefined : end);
    if (end < 0) return;
    at = end;
  }
}

const REFERENCE = /href\s*=\s*["']\s*#([^"']+)["']|url\(\s*["']?#([^)"'(]+)["']?\s*\)|\bid\s*=\s*["']([^"']+)["']/gi;
const CHEAP = new Set(["blend", "colormatrix", "componenttransfer", "composite", "dropshadow", "flood", "funca", "funcb", "funcg", "funcr", "gaussianblur", "merge", "mergenode", "offset"]);
const BEHIND = /\b(?:(?:backdrop-)?filter|mask|marker(?:-\w+)?)\s*[=:]\s*["']?\s*(?!none|["'])\S/i;
const MOVES = /^(?:animate|animatecolor|animatemotion|animatetransform|set)$/;

/** The elements of an SVG as a tree, loosely: who cannot be parsed is not drawn either. */
function parse(text) {
  const root = { children: [], uses: [] };
  const byId = new Map();
  const open = [root];
  let elements = 0;
  for (const { closing, attributes } of tags(text)) {
    if (closing) {
      if (open.length > 1) open.pop();
      continue;
    }
    elements += 1;
    const node = { children: [], uses: [] };
    for (const [, a, b, c] of attributes.matchAll(REFERENCE)) {
      if (c !== undefined) byId.set(c, byId.get(c) ?? node);
      else node.uses.push((a ?? b).trim());
    }
    open.at(-1).children.push(node);
    if (!attributes.endsWith("/")) open.push(node);
  }
  return { root, byId, elements };
}

/** How many elements are drawn for one, its references followed; Infinity for a circle. */
function drawn(root, byId) {
  const known = new Map();
  const count = (node, depth) => {
    const found = known.get(node);
    if (found !== undefined) return found;
    if (depth > DEPTH) return Infinity;
    known.set(node, Infinity);
    let sum = 1;
    for (const child of node.children) sum += count(child, depth + 1);
    for (const id of node.uses) if (byId.has(id)) sum += count(byId.get(id), depth + 1);
    known.set(node, sum);
    return sum;
  };
  return count(root, 0);
}

/** @returns {Cost} of an SVG, given as text */
export function svgCost(text) {
  if (text.length > SVG_LENGTH) return { pixels: 0, heavy: `${many(text.length)} characters` };
  if (text.includes("\0")) return { pixels: 0, heavy: "an encoding that is not read here" };
  if (/<!ENTITY/i.test(text)) return { pixels: 0, heavy: "names that stand for other text" };
  const count = text.match(/<[a-z_]/gi)?.length ?? 0;
  if (count > TAGS) return { pixels: 0, heavy: `${many(count)} elements` };
  const { root, byId } = parse(text);
  const elements = drawn(root, byId);
  if (elements === Infinity) return { pixels: 0, heavy: "references in circles, or elements nested hundreds deep" };
  if (elements > ELEMENTS) return { pixels: 0, heavy: `${many(elements)} elements, most of them repeated` };
  return svgParts(text, elements);
}

function svgParts(text, elements) {
  let [filtered, dashed, moving, costly] = [0, 0, false, ""];
  for (const { closing, name, attributes } of tags(text)) {
    if (closing) continue;
    if (/^fe[a-z]/.test(name) && !CHEAP.has(name.slice(2))) costly ||= name;
    if (BEHIND.test(attributes)) filtered += 1;
    if (/stroke-dasharray/i.test(attributes)) dashed += 1;
    moving ||= MOVES.test(name);
  }
  const styles = [...sheets(text)].join("\n");
  moving ||= /@keyframes|\banimation\s*:|\banimation-name/i.test(text);
  // A rule may reach every element there is.
  if (/\b(?:filter|mask|marker(?:-\w+)?)\s*:\s*(?!none)\S/i.test(styles)) filtered += elements;
  if (costly) return { pixels: 0, heavy: `a filter (${costly}) that may take minutes` };
  if (filtered > FILTERED) return { pixels: 0, heavy: `${many(filtered)} elements behind filters` };
  if (dashed > DASHED) return { pixels: 0, heavy: `${many(dashed)} dashed lines` };
  if (moving && elements > MOVING_ELEMENTS) return { pixels: 0, heavy: `${many(elements)} elements that move` };
  return embeddedCost(text);
}

const ENTITIES = new Map([["&quot;", '"'], ["&apos;", "'"], ["&#39;", "'"], ["&lt;", "<"], ["&gt;", ">"], ["&amp;", "&"]]);
const plain = (text) => text.replace(/&(?:quot|apos|#39|lt|gt|amp);/g, (name) => ENTITIES.get(name));
const UNMEASURED = /^(?:.{4}ftyp|\x00\x00[\x01\x02]\x00)/s; // AVIF and its kin, icons

/** @returns {Cost} of a data URL */
export function urlCost(url) {
  const found = /^\s*data:([^,]*),([^]*)$/i.exec(url);
  if (!found) return { pixels: 0 }; // not loaded at all
  let body = found[2];
  try {
    body = decodeURIComponent(body);
  } catch {
    // taken as it is
  }
  if (/;\s*base64\s*$/i.test(found[1])) body = fromBase64(body) ?? "";
  if (/svg/i.test(found[1])) return svgCost(body);
  if (UNMEASURED.test(body)) return { pixels: 0, heavy: "a type whose size is not known" };
  const { pixels, heavy } = rasterCost(body);
  return { pixels, heavy };
}

/** @returns {Cost} of the data URLs in a text */
export function embeddedCost(text) {
  // Escapes within CSS could hide an address from us and not from the browser.
  const inline = [...text.matchAll(/\bstyle\s*=\s*(?:"[^"]*"|'[^']*')/gi)].map(([css]) => css);
  for (const css of [...sheets(text), ...inline]) {
    if (/\\[0-9a-f]/i.test(css) && /url|image/i.test(css)) return { pixels: 0, heavy: "addresses in disguise" };
  }
  let pixels = 0;
  let number = 0;
  for (const match of text.matchAll(/\bdata:[^,"'()<>]{0,200},/gi)) {
    if ((number += 1) > NESTED) return { pixels, heavy: "very many pictures within" };
    // To the next quotation mark: of a drawing that is itself written with brackets, rather too much.
    const rest = /;\s*base64\s*,$/i.test(match[0]) ? /[\w+/=%\s-]*/y : /[^"]*/y;
    rest.lastIndex = match.index + match[0].length;
    const cost = urlCost(plain(match[0] + rest.exec(text)[0]));
    if (cost.heavy) return cost;
    pixels += cost.pixels;
    if (pixels > CELL_PIXELS) return { pixels, heavy: `${many(pixels)} pixels` };
  }
  return { pixels };
}

/** @returns {Cost} of the drawings and pictures in sanitised HTML */
export function htmlCost(html) {
  let level = 0;
  let start = 0;
  let elements = 0;
  const drawings = [];
  for (const match of html.matchAll(/<(\/?)svg\b/gi)) {
    if (!match[1]) {
      if (level === 0) start = match.index;
      level += 1;
    } else if (level > 0 && (level -= 1) === 0) drawings.push(html.slice(start, match.index));
  }
  if (level > 0) drawings.push(html.slice(start));
  for (const drawing of drawings) {
    const cost = svgCost(drawing);
    if (cost.heavy) return cost;
    elements += drawing.match(/<[a-z_]/gi)?.length ?? 0;
    if (elements > TAGS) return { pixels: 0, heavy: `${many(elements)} elements in drawings` };
  }
  const filters = html.match(/\b(?:backdrop-)?filter\s*:\s*(?!none)/gi)?.length ?? 0;
  if (filters > FILTERED) return { pixels: 0, heavy: `${many(filters)} elements behind filters` };
  return embeddedCost(html);
}
