import assert from "node:assert/strict";
import { test } from "node:test";

import { MirrorStore } from "../src/renderer/store.js";

const cell = (id, src, more = {}) => ({ id, type: "code", src, outs: [], ...more });
const snapshot = (cells, more = {}) => ({
  t: "snapshot", seq: 0, part: 0, parts: 1, info: { path: "x.ipynb", me: "me" }, role: "owner",
  conn: ["live", ""], kernel: null, people: [{ id: "ada", name: "Ada", role: "viewer", cell: null }],
  cells, ...more,
});
const patch = (seq, ...ops) => ({ t: "patch", seq, ops });
const filled = () => {
  const store = new MirrorStore();
  store.receive(snapshot([cell("a", "1"), cell("b", "2"), cell("c", "3")]));
  return store;
};

test("patches change what they name", () => {
  const store = filled();
  assert.ok(store.receive(patch(1, ["src", "a", [[1, 0, "0"]], "ada"], ["mv", "c", null], ["del", "b"])));
  assert.ok(store.receive(patch(2, ["add", "c", cell("d", "new")], ["type", "a", "markdown", null])));
  assert.deepEqual(store.order, ["c", "d", "a"]);
  assert.equal(store.cells.get("a").src, "10");
  assert.equal(store.cells.get("a").type, "markdown");
  assert.equal(store.people.get("ada").cell, "a", "who edits is there");
  assert.equal(store.position("d"), 1);
});

test("before a snapshot patches mean nothing, old ones change nothing, a gap is noticed once", () => {
  const store = new MirrorStore();
  assert.ok(store.receive(patch(5, ["src", "a", [[0, 0, "x"]]])));
  store.receive(snapshot([cell("a", "1")], { seq: 5 }));
  assert.ok(store.receive(patch(5, ["src", "a", [[0, 0, "x"]]])));
  assert.equal(store.cells.get("a").src, "1");
  assert.equal(store.receive(patch(7, ["src", "a", [[0, 0, "x"]]])), false);
  assert.ok(store.receive(patch(8, ["src", "a", [[0, 0, "x"]]])));
  store.receive(snapshot([cell("a", "now")], { seq: 8 }));
  assert.ok(store.receive(patch(9, ["src", "a", [[0, 0, "x"]]])));
  assert.equal(store.cells.get("a").src, "xnow");
});

test("an operation on a cell that is not there asks for a snapshot", () => {
  const store = filled();
  assert.equal(store.receive(patch(1, ["src", "nobody", [[0, 0, "x"]]])), false);
});

test("an operation of a newer kernel is passed over", () => {
  const store = filled();
  assert.ok(store.receive(patch(1, ["sparkle", "a", 1], ["src", "a", [[0, 0, "x"]]])));
  assert.equal(store.cells.get("a").src, "x1");
});

test("a snapshot comes in parts; a part without its beginning is ignored", () => {
  const store = new MirrorStore();
  store.receive(snapshot([cell("z", "late")], { part: 1, parts: 2 }));
  assert.deepEqual(store.order, []);
  store.receive(snapshot([cell("a", "1")], { part: 0, parts: 2, seq: 3 }));
  assert.equal(store.seq, null);
  store.receive({ t: "snapshot", seq: 3, part: 1, parts: 2, cells: [cell("b", "2")] });
  assert.deepEqual(store.order, ["a", "b"]);
  assert.equal(store.seq, 3);
});

test("outputs are kept, grown, replaced and filled in; those not loaded stay so", () => {
  const store = filled();
  const stream = { id: "s", k: "stream", name: "stdout", text: "1\n" };
  store.receive(patch(1, ["out+", "a", stream], ["txt", "a", "s", "2\n"]));
  assert.equal(store.cells.get("a").outs[0].text, "1\n2\n");
  store.receive(patch(2, ["out+", "a", { id: "p", k: "data", data: {}, omit: { "image/png": 9 } }]));
  store.receive({ t: "entry", cell: "a", out: "p", mime: "image/png", value: "iVBO" });
  assert.deepEqual(store.cells.get("a").outs[1].data, { "image/png": "iVBO" });
  assert.deepEqual(store.cells.get("a").outs[1].omit, {});
  store.receive(snapshot([cell("a", "1", { outs: null })], { seq: 2 }));
  assert.ok(store.receive(patch(3, ["out+", "a", stream], ["txt", "a", "s", "x"])));
  assert.equal(store.cells.get("a").outs, null);
  assert.equal(store.cells.get("a").stale.length, 2, "what was seen stays until it is loaded anew");
});

test("a stream without end keeps its two ends", () => {
  const store = filled();
  store.receive(patch(1, ["out+", "a", { id: "s", k: "stream", name: "stdout", text: "first\n" }]));
  for (let seq = 2; seq < 60; seq++) store.receive(patch(seq, ["txt", "a", "s", "y".repeat(50_000)]));
  const [output] = store.cells.get("a").outs;
  assert.ok(output.text.length <= 250_000);
  assert.ok(output.text.startsWith("first\n"));
  assert.equal(output.text.length + output.cut, 6 + 58 * 50_000);
});

test("listeners are told what changed, and no more once they have left", () => {
  const store = filled();
  const seen = [];
  const leave = store.subscribe((change) => seen.push([...change.cells.keys()]));
  store.receive(patch(1, ["src", "b", [[0, 0, "x"]]]));
  leave();
  store.receive(patch(2, ["src", "a", [[0, 0, "x"]]]));
  assert.deepEqual(seen, [["b"]]);
});

test("roles say what may be done, and an ended mirror nothing", () => {
  const store = filled();
  assert.ok(store.canRun && store.canEdit);
  store.receive(patch(1, ["role", "executor"]));
  assert.ok(store.canRun && !store.canEdit);
  store.receive(patch(2, ["role", "viewer"]));
  assert.ok(!store.canRun && !store.canEdit);
  store.receive(patch(3, ["role", "owner"]));
  store.setAlive(false);
  assert.ok(!store.canRun && !store.canEdit);
});
