import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { test } from "node:test";

import { pictureRoom } from "../src/renderer/room.js";

const be32 = (n) => Buffer.from([(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);
const chunk = (kind, body) => Buffer.concat([be32(body.length), Buffer.from(kind), body, be32(0)]);
const png = (width, height) =>
  `data:image/png;base64,${Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", Buffer.concat([be32(width), be32(height), Buffer.from([8, 0, 0, 0, 0])])),
    chunk("IDAT", deflateSync(Buffer.alloc(10))),
  ]).toString("base64")}`;
const room = (tag, attributes, most = 800) => pictureRoom(tag, (name) => attributes[name] ?? null, most);
const size = (width, height) => ({ width, height });

test("a picture takes the room that its bytes say, and no more than there is", () => {
  assert.deepEqual(room("img", { src: png(24, 16) }), size(24, 16));
  assert.deepEqual(room("img", { src: png(1600, 400) }), size(800, 200));
  assert.deepEqual(room("img", { src: png(10, 20), width: "40" }), size(40, 80));
  assert.deepEqual(room("img", { src: png(10, 20), width: "50%" }), size(400, 800));
  // Its height follows its width, whatever the attribute says; a style goes before both.
  assert.deepEqual(room("img", { src: png(10, 20), height: "7" }), size(10, 20));
  assert.deepEqual(room("img", { src: png(10, 20), style: "max-height:9px; height: 30px" }), size(10, 30));
  assert.deepEqual(room("img", { src: png(10, 20), width: "40", style: "Width : 5px" }), size(5, 10));
});

test("a picture that is not fetched, or is none, takes a symbol's room", () => {
  for (const src of ["https://example.org/a.png", "", "data:image/png;base64,???", "data:,x", null]) {
    assert.deepEqual(room("img", { src }), size(16, 16), src);
  }
  assert.deepEqual(room("img", { src: "logo.png", width: "90" }), size(90, 16));
});

test("drawings have the shape of their box", () => {
  assert.deepEqual(room("svg", { viewBox: "0 0 40 10" }), size(800, 200));
  assert.deepEqual(room("svg", { viewBox: "0,0,40,10", width: "20" }), size(20, 5));
  assert.deepEqual(room("svg", { width: "40", height: "10" }), size(40, 10));
  assert.deepEqual(room("svg", {}), size(300, 150));
  assert.deepEqual(room("svg", { viewBox: "none", width: "1em" }), size(300, 150));
  const drawn = encodeURIComponent('<svg xmlns="x" width="30" viewBox="0 0 3 1"></svg>');
  assert.deepEqual(room("img", { src: `data:image/svg+xml,${drawn}` }), size(30, 10));
  assert.deepEqual(room("canvas", { width: "50", height: "20" }), size(50, 20));
  assert.deepEqual(room("video", {}), size(300, 150));
});
