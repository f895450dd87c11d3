// Text as it comes from the other side: offsets, characters that deceive, terminal habits, length.

const SURROGATE = /[\ud800-\udfff]/;

/**
 * Apply splices to a text.
 *
 * Offsets count code points of the text before all of them, as everywhere on the wire; strings here
 * count UTF-16 units.
 *
 * @param {string} text
 * @param {Array<[number, number, string]>} splices place, number of code points that go, new text;
 *   ascending, not overlapping
 * @returns {string}
 */
export function splice(text, splices) {
  const plain = !SURROGATE.test(text);
  let out = "";
  let unit = 0; // how far `text` is copied, in units …
  let point = 0; // … and in code points
  const advance = (points) => {
    if (plain) return Math.min(text.length, unit + points);
    let at = unit;
    for (let left = points; left > 0 && at < text.length; left--) {
      at += text.codePointAt(at) > 0xffff ? 2 : 1;
    }
    return at;
  };
  for (const [at, gone, added] of splices) {
    const start = advance(at - point);
    out += text.slice(unit, start) + added;
    unit = start;
    unit = advance(gone);
    point = at + gone;
  }
  return out + text.slice(unit);
}

// Characters that change the direction of what follows, or cannot be seen at all.
const DECEIVING =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;
const DECEIVING_ALL = new RegExp(DECEIVING.source, "g");

const NAMES = new Map([
  [0x061c, "Arabic letter mark"],
  [0x200b, "zero width space"],
  [0x200e, "left-to-right mark"],
  [0x200f, "right-to-left mark"],
  [0x202a, "left-to-right embedding"],
  [0x202b, "right-to-left embedding"],
  [0x202c, "pop directional formatting"],
  [0x202d, "left-to-right override"],
  [0x202e, "right-to-left override"],
  [0x2066, "left-to-right isolate"],
  [0x2067, "right-to-left isolate"],
  [0x2068, "first strong isolate"],
  [0x2069, "pop directional isolate"],
  [0xfeff, "byte order mark"],
]);

/** Whether a text holds characters that deceive the eye. */
export const deceives = (text) => DECEIVING.test(text);

/**
 * Replace deceiving characters in the text nodes below a node by marks that can be seen.
 *
 * @param {Node} root
 */
export function markDeceiving(root) {
  const walker = root.ownerDocument.createTreeWalker(root, 4 /* SHOW_TEXT */);
  const found = [];
  while (walker.nextNode()) {
    if (DECEIVING.test(walker.currentNode.data)) found.push(walker.currentNode);
  }
  for (const node of found) {
    const document = node.ownerDocument;
    const parts = document.createDocumentFragment();
    let from = 0;
    for (const match of node.data.matchAll(DECEIVING_ALL)) {
      parts.append(node.data.slice(from, match.index));
      const code = match[0].codePointAt(0);
      const mark = document.createElement("span");
      mark.className = "rtu-mark";
      const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
      mark.textContent = name;
      mark.title = `${NAMES.get(code) ?? "control character"} (${name}), shown instead of obeyed`;
      parts.append(mark);
      from = match.index + match[0].length;
    }
    parts.append(node.data.slice(from));
    node.replaceWith(parts);
  }
}

/**
 * Do what a terminal does with carriage returns and backspaces, line by line.
 *
 * @param {string} text
 * @returns {string}
 */
export function overwrite(text) {
  if (!/[\r\b]/.test(text)) return text;
  return text
    .replace(/\r+\n/g, "\n")
    .split("\n")
    .map((line) => (/[\r\b]/.test(line) ? overwriteLine(line) : line))
    .join("\n");
}

function overwriteLine(line) {
  let result = "";
  for (let piece of line.split("\r")) {
    while (piece.includes("\b")) {
      const shorter = piece.replace(/[^\b]\x08/g, "");
      if (shorter === piece) break;
      piece = shorter;
    }
    piece = piece.replaceAll("\b", "");
    // With colours in it nobody can say how wide the older text was: the newer one stands alone.
    const keeps = piece.length < result.length && !/\x1b/.test(result + piece);
    if (piece) result = keeps ? piece + result.slice(piece.length) : piece;
  }
  return result;
}

/** A number with its thousands apart. */
export const count = (n) => n.toLocaleString("en-US");

/** A number of bytes or characters for people. */
export function size(n) {
  if (n < 10_000) return count(n);
  return n < 1_000_000 ? `${Math.round(n / 1000)} k` : `${(n / 1_000_000).toFixed(1)} M`;
}

/** A time span for people. */
export function duration(ms) {
  if (ms < 100) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/**
 * Shorten a text to what can be shown: its number of characters and each line's length.
 *
 * @param {string} text
 * @param {{total: number, line: number, tail?: number}} limits `tail` of the characters are kept
 *   from the end, the rest from the beginning
 * @returns {{text: string, rest: string, hidden: number}} the beginning, the end (empty if nothing
 *   was taken out), and how many characters are not in them
 */
export function elide(text, { total, line, tail = 0 }) {
  let hidden = 0;
  const cutLines = (part) => {
    if (part.length <= line) return part;
    return part
      .split("\n")
      .map((one) => {
        if (one.length <= line) return one;
        const end = whole(one, line);
        hidden += one.length - end;
        return `${one.slice(0, end)} …`;
      })
      .join("\n");
  };
  if (text.length <= total) return { text: cutLines(text), rest: "", hidden };
  const headEnd = whole(text, total - tail);
  const tailStart = tail ? whole(text, text.length - tail) : text.length;
  hidden += tailStart - headEnd;
  return { text: cutLines(text.slice(0, headEnd)), rest: cutLines(text.slice(tailStart)), hidden };
}

/** The nearest place at or before `at` that does not split a pair of surrogates. */
function whole(text, at) {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff ? at - 1 : at;
}
