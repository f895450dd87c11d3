import assert from "node:assert/strict";
import { test } from "node:test";

import { deceives, duration, elide, overwrite, size, splice } from "../src/renderer/text.js";

test("splices count code points", () => {
  assert.equal(splice("x = '🐍' # 蛇", [[7, 0, "!"]]), "x = '🐍'! # 蛇");
  assert.equal(splice("🐍🐍🐍", [[1, 1, "a"]]), "🐍a🐍");
  assert.equal(splice("abc", [[0, 1, "X"], [2, 1, "Y"]]), "XbY");
  assert.equal(splice("", [[0, 0, "new"]]), "new");
  assert.equal(splice("🐍a🐍b", [[0, 1, ""], [3, 1, "🦎"]]), "a🐍🦎");
});

test("random splices are those of a list of code points", () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 0x7fffffff) % n;
  const letters = [..."ab\n🐍é"];
  for (let round = 0; round < 300; round++) {
    const points = Array.from({ length: random(40) }, () => letters[random(letters.length)]);
    const expected = [...points];
    const splices = [];
    for (let at = 0; at <= points.length; at += 1 + random(9)) {
      const gone = Math.min(random(4), points.length - at);
      splices.push([at, gone, letters[random(letters.length)]]);
      at += gone;
    }
    for (const [at, gone, added] of [...splices].reverse()) expected.splice(at, gone, added);
    assert.equal(splice(points.join(""), splices), expected.join(""));
  }
});

test("carriage returns and backspaces do what they do in a terminal", () => {
  assert.equal(overwrite("10%\r20%\r100%\n"), "100%\n");
  assert.equal(overwrite("abcdef\rXY"), "XYcdef");
  assert.equal(overwrite("one\r\ntwo\r\n"), "one\ntwo\n");
  assert.equal(overwrite("ab\bc"), "ac");
  assert.equal(overwrite("\b\bx"), "x");
  assert.equal(overwrite("\x1b[31mlong text\x1b[0m\r\x1b[32mok\x1b[0m"), "\x1b[32mok\x1b[0m");
});

test("long texts are cut, with the number of what is left out", () => {
  assert.deepEqual(elide("short", { total: 10, line: 10 }), { text: "short", rest: "", hidden: 0 });
  const cut = elide("x".repeat(1000), { total: 100, line: 1000, tail: 60 });
  assert.equal(cut.text.length + cut.rest.length + cut.hidden, 1000);
  const line = elide("y".repeat(50) + "\nz", { total: 100, line: 10 });
  assert.equal(line.hidden, 40);
  assert.ok(line.text.endsWith("…\nz"));
  assert.equal(elide("🐍".repeat(10), { total: 11, line: 100 }).text, "🐍".repeat(5), "no half characters");
});

test("characters that deceive are found, others are not", () => {
  for (const text of ["a\u202eb", "\u2066x\u2069", "zero\u200bwidth", "bell\u0007", "\ufeff"]) assert.ok(deceives(text));
  for (const text of ["שלום", "مرحبا", "tab\tnew\nline", "é🐍", "esc\x1b[0m"]) assert.ok(!deceives(text));
});

test("numbers for people", () => {
  assert.equal(duration(20), "20 ms");
  assert.equal(duration(3_240), "3.2 s");
  assert.equal(duration(61_000), "1 min 01 s");
  assert.equal(duration(3_660_000), "1 h 01 min");
  assert.equal(size(5_000_000), "5.0 M");
});
