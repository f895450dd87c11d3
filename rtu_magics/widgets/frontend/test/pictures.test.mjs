import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { test } from "node:test";

import { PEOPLE, PeopleColours, contrast } from "../src/renderer/colour.js";
import { fromBase64, htmlCost, pictureSize, rasterCost, svgCost, urlCost } from "../src/renderer/pictures.js";

const latin = (buffer) => buffer.toString("latin1");
const be32 = (n) => String.fromCharCode((n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
const le = (n, length) => String.fromCharCode(...Array.from({ length }, (_, i) => Math.floor(n / 256 ** i) % 256));
const chunk = (kind, body) => be32(body.length) + kind + body + be32(0);
const png = (width, height, frames = 0) =>
  "\x89PNG\r\n\x1a\n" + chunk("IHDR", `${be32(width)}${be32(height)}\x08\x00\x00\x00\x00`) +
  (frames ? chunk("acTL", be32(frames) + be32(0)) : "") + chunk("IDAT", latin(deflateSync(Buffer.alloc(10)))) + chunk("IEND", "");
const gif = (width, height, frames, inner = [width, height]) =>
  `GIF89a${le(width, 2)}${le(height, 2)}\x80\x00\x00${"\0".repeat(6)}` +
  "!\xf9\x04\x00\x00\x00\x00\x00".repeat(1) +
  `,${le(0, 4)}${le(inner[0], 2)}${le(inner[1], 2)}\x00\x02\x02D\x01\x00`.repeat(frames) + ";";
const jpeg = (width, height) =>
  `\xff\xd8\xff\xe0\x00\x10JFIF\x00${"\0".repeat(9)}\xff\xc2\x00\x11\x08${be32(height).slice(2)}${be32(width).slice(2)}${"\0".repeat(20)}`;
const riff = (...parts) => `RIFF${le(4, 4)}WEBP${parts.join("")}`;
const webpChunk = (kind, body) => kind + le(body.length, 4) + body + (body.length % 2 ? "\0" : "");
const bmp = (width, height) => `BM${"\0".repeat(12)}${le(40, 4)}${le(width, 4)}${le(height, 4)}${"\0".repeat(20)}`;
const b64 = (bytes) => Buffer.from(bytes, "latin1").toString("base64");

test("the size of a picture is read off its bytes", () => {
  assert.deepEqual(pictureSize(png(640, 480)), { width: 640, height: 480, frames: 1 });
  assert.deepEqual(pictureSize(png(64, 48, 7)), { width: 64, height: 48, frames: 7 });
  assert.deepEqual(pictureSize(gif(30, 20, 3)), { width: 30, height: 20, frames: 3 });
  assert.deepEqual(pictureSize(gif(1, 1, 1, [9_000, 20])), { width: 9_000, height: 20, frames: 1 });
  assert.deepEqual(pictureSize(jpeg(800, 600)), { width: 800, height: 600, frames: 1 });
  assert.deepEqual(pictureSize(bmp(10, -20 >>> 0)), { width: 10, height: 20, frames: 1 });
  const big = riff(webpChunk("VP8X", `\x02\0\0\0${le(4_999, 3)}${le(99, 3)}`), webpChunk("ANMF", "x"), webpChunk("ANMF", "y"));
  assert.deepEqual(pictureSize(big), { width: 5_000, height: 100, frames: 2 });
  assert.deepEqual(pictureSize(riff(webpChunk("VP8L", `\x2f${le(99 + 49 * 16_384, 4)}`))), { width: 100, height: 50, frames: 1 });
  for (const none of ["", "x", "GIF89a", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "RIFF....WAVE", "<svg/>"]) assert.equal(pictureSize(none), null);
});

test("a bomb is told from a picture, whatever it calls itself", () => {
  for (const fine of [png(4_000, 3_000), jpeg(5_000, 4_000), gif(500, 400, 200), png(300, 300, 30)]) {
    assert.equal(rasterCost(fine).heavy, undefined);
  }
  for (const bomb of [png(30_000, 30_000), png(1, 2 ** 31 - 1), jpeg(65_535, 65_535), gif(65_535, 65_535, 1), gif(1, 1, 2, [60_000, 60_000]), gif(100, 100, 5_000), gif(3_000, 3_000, 2), png(9_000, 900, 50), bmp(100_000, 100_000)]) {
    assert.ok(rasterCost(bomb).heavy);
    assert.ok(urlCost(`data:image/png;base64,${b64(bomb)}`).heavy, "the type that it is given does not matter");
    assert.ok(urlCost(`data:;base64,${encodeURIComponent(b64(bomb))}`).heavy);
  }
  assert.ok(rasterCost(fromBase64("?")).broken);
  assert.ok(urlCost(`data:image/avif;base64,${b64("\0\0\0\x20ftypavif")}`).heavy);
});

const svg = (body, more = "") => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"${more}>${body}</svg>`;

test("drawings that unfold are told from drawings", () => {
  const glyphs = svg(`<defs><path id="g" d="M0 0L1 1"/></defs>${'<use xlink:href="#g" x="1"/>'.repeat(3_000)}`);
  const plot = svg(`<g clip-path="url(#c)">${'<path d="M0 0" style="fill: none; stroke: #1f77b4"/>'.repeat(5_000)}</g><clipPath id="c"><rect/></clipPath>`);
  const shadow = svg('<filter id="f"><feGaussianBlur stdDeviation="2"/></filter><rect filter="url(#f)"/>');
  const spinner = svg('<circle r="1"><animate attributeName="r" values="1;2"/></circle>');
  const dtd = '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">' + svg("<g/>");
  for (const fine of [glyphs, plot, shadow, spinner, dtd, "<svg><g><rect"]) assert.equal(svgCost(fine).heavy, undefined);

  let laughs = '<g id="l0"><rect/></g>';
  for (let n = 1; n < 12; n++) laughs += `<g id="l${n}">${`<use href="#l${n - 1}"/>`.repeat(10)}</g>`;
  const bombs = [
    laughs,
    '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>',
    "<rect/>".repeat(30_000),
    "<g>".repeat(5_000) + "</g>".repeat(5_000),
    '<filter id="f"><feTurbulence baseFrequency="9" numOctaves="99"/></filter><rect filter="url(#f)"/>',
    '<filter id="f"><feConvolveMatrix order="99"/></filter><rect filter="url(#f)"/>',
    '<filter id="f"><feGaussianBlur stdDeviation="99"/></filter>' + '<rect filter="url(#f)"/>'.repeat(200),
    '<filter id="f"><feGaussianBlur/></filter><style>rect { filter: url(#f) }</style>' + "<rect/>".repeat(200),
    '<pattern id="p0"><rect/></pattern>' + Array.from({ length: 8 }, (_, n) => `<pattern id="p${n + 1}">${`<rect fill="url(#p${n})"/>`.repeat(9)}</pattern>`).join(""),
    "<circle><animate/></circle>".repeat(900),
    '<path stroke-dasharray="0.001"/>'.repeat(2_000),
    `<image href="data:image/png;base64,${b64(png(40_000, 40_000))}"/>`,
    `<image href='data:image/svg+xml,${encodeURIComponent(svg(laughs))}'/>`,
    `<style>rect { fill: url("data:image/svg+xml;base64,${b64(svg(laughs))}") }</style>`,
  ].map((body) => svg(body));
  bombs.push(svg(`<image href="data:image/svg+xml;base64,${Buffer.from("<svg/>", "utf16le").toString("base64")}"/>`));
  bombs.push(`<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>${svg("<text>&b;</text>")}`);
  for (const bomb of bombs) assert.ok(svgCost(bomb).heavy, bomb.slice(0, 200));
  for (const bomb of bombs) assert.ok(urlCost(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(bomb)}`).heavy);
});

test("HTML is looked through for what it holds", () => {
  const icons = `<table>${`<tr><td>${svg("<path/>")}</td><td>1</td></tr>`.repeat(200)}</table>`;
  assert.equal(htmlCost(icons).heavy, undefined);
  assert.equal(htmlCost(`<img src="data:image/png;base64,${b64(png(100, 100))}">`).heavy, undefined);
  assert.ok(htmlCost(`<p>x</p>${svg("<rect/>".repeat(30_000))}`).heavy);
  assert.ok(htmlCost(`<img src="data:image/png;base64,${b64(png(50_000, 50_000))}">`).heavy);
  assert.ok(htmlCost(`<div style="background: url(&quot;data:image/png;base64,${b64(png(50_000, 50_000))}&quot;)"></div>`).heavy);
  assert.ok(htmlCost('<style>p { background: url("\\64 ata:image/png;base64,AAAA") }</style>').heavy);
  assert.ok(htmlCost('<p style="filter: blur(9px)">x</p>'.repeat(99)).heavy);
  const eight = `<img src="data:image/png;base64,${b64(png(4_000, 3_000))}">`.repeat(8);
  assert.ok(htmlCost(eight).heavy, "each would do, together they are too much");
});

test("looking costs little, also where there is nothing good to find", () => {
  const nasty = ["<".repeat(500_000), "<svg ".repeat(50_000), `<a b='${'"'.repeat(300_000)}`, "data:,".repeat(100_000), `<svg>${"<!--".repeat(90_000)}`, "\xff".repeat(900_000), `data:image/svg+xml,${"%25".repeat(100_000)}`];
  for (const text of nasty) {
    htmlCost(text);
    svgCost(text);
    urlCost(text);
    pictureSize(`\xff\xd8\xff${text}`);
  }
});

test("thirty people have thirty colours that can be told apart and read", () => {
  const colours = new PeopleColours();
  const given = Array.from({ length: 30 }, (_, n) => colours.of(`0000-user-${n}`));
  assert.equal(new Set(given).size, 30);
  assert.deepEqual(given, Array.from({ length: 30 }, (_, n) => colours.of(`0000-user-${n}`)));
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  for (const hex of PEOPLE) assert.ok(contrast(rgb(hex), [255, 255, 255]) >= 4.5, hex);
  const cubes = PEOPLE.map((hex) => oklab(rgb(hex)));
  for (const [i, one] of cubes.entries()) {
    for (const other of cubes.slice(0, i)) assert.ok(Math.hypot(...one.map((v, k) => v - other[k])) > 0.08);
  }
  for (const id of ["constructor", "__proto__", "", "🦎"]) assert.match(colours.of(id), /^#/);
});

function oklab(colour) {
  const [r, g, b] = colour.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}
