// How much room a picture takes in an HTML output, read off its tag before anything draws it. No DOM.

import { fromBase64, pictureSize } from "./pictures.js";

const ICON = 16; // px: stands for what is not fetched
const REPLACED = { width: 300, height: 150 }; // what has no size of its own (CSS 2.2, 10.3.2)

const positive = (text) => (Number.parseFloat(text) > 0 ? Number.parseFloat(text) : null);

/** Read a length in px; percentages are of `most`, other units are not known. */
function length(text, most) {
  const found = /^\s*([\d.]+)\s*(px|%)?\s*$/.exec(text ?? "");
  if (!found) return null;
  return found[2] === "%" ? (positive(found[1]) * most) / 100 : positive(found[1]);
}

function styled(style, name, most) {
  const found = new RegExp(`(?:^|;)\\s*${name}\\s*:([^;]*)`, "i").exec(style ?? "");
  return found ? length(found[1].replace("!important", ""), most) : null;
}

/** Return height by width, null if nothing says it. */
function shapeOf(width, height, viewBox) {
  const [, , w, h] = (viewBox ?? "").trim().split(/[\s,]+/).map(Number);
  if (w > 0 && h > 0) return h / w;
  return width && height ? height / width : null;
}

function svgSize(text) {
  const tag = /<svg\b[^>]*>/i.exec(text)?.[0] ?? "";
  const value = (name) => new RegExp(`\\s${name}\\s*=\\s*["']([^"']*)`, "i").exec(tag)?.[1];
  const [width, height] = [positive(value("width")), positive(value("height"))];
  const shape = shapeOf(width, height, value("viewBox"));
  if (width && height) return { width, height };
  const w = width ?? (height && shape ? height / shape : REPLACED.width);
  return { width: w, height: height ?? (shape ? w * shape : REPLACED.height) };
}

/** Return the size that a picture has by itself, null for one that is not fetched. */
function naturalSize(source) {
  const found = /^\s*data:([^,]*),(.*)$/is.exec(source ?? "");
  if (!found) return null;
  const [, type, body] = found;
  let bytes = body;
  try {
    bytes = /;\s*base64/i.test(type) ? fromBase64(body) : decodeURIComponent(body);
  } catch {
    // as it stands
  }
  if (bytes === null) return null;
  return /^image\/svg/i.test(type) ? svgSize(bytes) : pictureSize(bytes);
}

/**
 * Return the room that a picture takes where none is wider than `most` and heights follow widths,
 * as in the frames of HTML outputs.
 *
 * @param {string} tag `img`, `svg`, `canvas` or `video`
 * @param {(name: string) => string|null} attribute of the tag
 * @param {number} most px
 * @returns {{width: number, height: number}} px
 */
export function pictureRoom(tag, attribute, most) {
  const style = attribute("style");
  const given = {
    width: styled(style, "width", most) ?? length(attribute("width"), most),
    height: length(attribute("height"), most),
  };
  let natural = REPLACED;
  let shape = shapeOf(given.width, given.height, attribute("viewBox"));
  if (tag === "img") {
    natural = naturalSize(attribute("src")) ?? { width: ICON, height: ICON };
    shape = natural.height / natural.width;
    if (natural.width === ICON && !/^\s*data:/i.test(attribute("src") ?? "")) shape = null;
  } else if (tag === "svg" && shape !== null) {
    natural = { width: most, height: most * shape };
  } else if (given.height !== null) {
    natural = { width: natural.width, height: given.height };
  }
  const width = Math.min(most, given.width ?? natural.width);
  const height = styled(style, "height", most) ?? (shape === null ? natural.height : width * shape);
  return { width, height };
}
