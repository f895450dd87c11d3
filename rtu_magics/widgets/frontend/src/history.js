// A notebook's past as an anywidget: a slider over the mirror's renderer. In come pieces of one
// message, {t: "piece", i, n, s}; it is
//
//   {t: "past", path, language, complete, authors: [[id, name]], cells: [cell], steps: [step]}
//   step   [author's index, milliseconds since 1970 or null, what, cell or null, ops, back]
//
// Then nobody is asked any more: a step's ops are the mirror's (see renderer/store.js), forwards and
// back.

import { h } from "./renderer/dom.js";
import { MirrorStore, mount } from "./renderer/mirror.js";

const HELLO = [400, 2_000, 6_000, 15_000]; // ms; a busy kernel answers once it is free
const SPEEDS = [["slow", 1], ["normal", 4], ["fast", 20], ["very fast", 100]]; // steps a second
const BANDS = 400; // of the coloured line: more cannot be told apart

/** A past, and a store that holds the notebook as it was after some of its steps. */
export class Past {
  constructor(message) {
    Object.assign(this, message);
    this.store = new MirrorStore();
    this.at = 0;
    this._seq = 0;
    this.store.receive({
      t: "snapshot", seq: 0, part: 0, parts: 1, role: "viewer", conn: ["live", ""], kernel: null,
      info: { path: this.path, file: "", language: this.language, me: null },
      people: this.authors.map(([id, name]) => ({ id, name, role: null, cell: null })),
      cells: structuredClone(this.cells),
    });
  }

  /** Go to where the first `to` steps were done. */
  go(to) {
    const ops = [];
    while (this.at < to) ops.push(...this.steps[this.at++][4]);
    while (this.at > to) ops.push(...this.steps[--this.at][5]);
    // The store keeps what it is given, and these steps are taken again.
    if (ops.length) this.store.receive({ t: "patch", seq: ++this._seq, ops: structuredClone(ops) });
  }

  /** The step that was done last, null at the beginning. */
  get last() {
    return this.at > 0 ? this.steps[this.at - 1] : null;
  }

  describe() {
    if (!this.last) return `${this.complete ? "the beginning" : "as far back as this goes"}`;
    const [author, ms, what, cell] = this.last;
    const place = cell ? this.store.position(cell) + 1 : 0;
    const where = cell ? (place ? ` cell ${place}` : " a cell") : "";
    // "moved to the top" → "moved cell 3 to the top", "moved after abc…" → "moved cell 3"
    const [verb, ...rest] = what.split(" ");
    const more = rest[0] === "after" ? "" : rest.length ? ` ${rest.join(" ")}` : "";
    const when = ms === null ? "" : ` · ${new Date(ms).toLocaleString()}`;
    return `${this.authors[author][1]} ${verb}${where}${more}${when}`;
  }

  /** CSS of a line in which each step has its author's colour. */
  bands() {
    const count = this.steps.length;
    const size = Math.max(1, count / BANDS);
    const stops = [];
    for (let at = 0; at < count; at += size) {
      const colour = this.store.colours.of(this.authors[this.steps[Math.floor(at)][0]][0]);
      const end = Math.min(count, at + size);
      stops.push(`${colour} ${((at / count) * 100).toFixed(2)}% ${((end / count) * 100).toFixed(2)}%`);
    }
    return `linear-gradient(to right, ${stops.join(", ")})`;
  }
}

function mountPast(el, past) {
  const total = past.steps.length;
  const slider = h("input", {
    type: "range", class: "rtu-past-slider", min: 0, max: total, step: 1, "aria-label": "Step in the notebook's past",
    on: { input: () => { stop(); go(Number(slider.value)); }, keydown: (event) => key(event) },
  });
  const play = h("button", { type: "button", class: "rtu-past-button", on: { click: () => (timer ? stop() : start()) } });
  const back = h("button", { type: "button", class: "rtu-past-button", text: "‹", title: "One step back", "aria-label": "One step back", on: { click: () => { stop(); go(past.at - 1); } } });
  const forth = h("button", { type: "button", class: "rtu-past-button", text: "›", title: "One step on", "aria-label": "One step on", on: { click: () => { stop(); go(past.at + 1); } } });
  const speed = h("select", { class: "rtu-past-button", "aria-label": "Speed", on: { change: () => { if (timer) start(); } } },
    ...SPEEDS.map(([text, value]) => h("option", { value, text })));
  speed.value = String((SPEEDS.find(([, value]) => total / value <= 30) ?? SPEEDS.at(-1))[1]);
  const words = h("div", { class: "rtu-past-words" });
  const band = h("div", { class: "rtu-past-band", "aria-hidden": "true" });
  band.style.backgroundImage = past.bands();
  const people = h("div", { class: "rtu-past-people" }, ...past.authors.map(([id, name]) => {
    const chip = h("span", { class: "rtu-past-person", text: name });
    chip.style.backgroundColor = past.store.colours.of(id);
    return chip;
  }));
  const notebook = h("div", {});
  const root = h("section", { class: "rtu-history", "data-lm-suppress-shortcuts": "true", "aria-label": `The past of ${past.path}` },
    h("div", { class: "rtu-past-head" }, play, back, forth, speed, people),
    h("div", { class: "rtu-past-line" }, band, slider), words, notebook);
  el.append(root);
  const view = mount(notebook, past.store, { height: "min(60vh, 480px)" });
  let timer = 0;

  const draw = () => {
    slider.value = String(past.at);
    const text = past.describe();
    words.textContent = `${past.at} of ${total} · ${text}`;
    slider.setAttribute("aria-valuetext", `${past.at} of ${total}, ${text}`);
    back.disabled = past.at === 0;
    forth.disabled = past.at === total;
  };
  const go = (to) => {
    past.go(Math.max(0, Math.min(total, to)));
    const cell = past.last?.[3];
    if (cell && past.store.cells.has(cell)) view.jump(cell);
    draw();
  };
  // By hand: front ends have uses of their own for these keys, and pages are ten steps here.
  const key = (event) => {
    const to = {
      ArrowRight: past.at + 1, ArrowUp: past.at + 1, ArrowLeft: past.at - 1, ArrowDown: past.at - 1,
      PageUp: past.at + 10, PageDown: past.at - 10, Home: 0, End: total,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    stop();
    go(to);
  };
  const label = () => {
    play.textContent = timer ? "❚❚ Pause" : "▶ Play";
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    label();
  };
  const start = () => {
    stop();
    if (past.at === total) go(0);
    const rate = Number(speed.value);
    const many = Math.max(1, Math.round(rate / 20)); // the screen is not redrawn more often
    timer = setInterval(() => {
      if (!root.isConnected) return stop();
      go(past.at + many);
      if (past.at === total) stop();
    }, (1000 * many) / rate);
    label();
  };

  label();
  go(past.at);
  return () => {
    stop();
    view.destroy();
    root.remove();
  };
}

export const history = () => {
  const hosts = new Map(); // element → what ends its view
  let message = null;
  let pieces = [];
  let timers = [];

  const show = (el) => {
    const past = new Past(message);
    past.go(past.steps.length);
    el.replaceChildren();
    hosts.set(el, mountPast(el, past));
  };
  const receive = ({ t, i, n, s }) => {
    if (t !== "piece" || message) return;
    if (i === 0) pieces = [];
    if (pieces.length !== i) return; // its beginning went by
    pieces.push(s);
    if (pieces.length < n) return;
    message = JSON.parse(pieces.join(""));
    pieces = [];
    for (const el of hosts.keys()) show(el);
  };
  return {
    initialize({ model }) {
      model.on("msg:custom", receive);
      timers = HELLO.map((delay) => setTimeout(() => message || pieces.length || model.send({ a: "hello" }), delay));
      return () => {
        timers.forEach(clearTimeout);
        model.off("msg:custom", receive);
      };
    },
    render({ el }) {
      hosts.set(el, () => {});
      if (message) show(el);
      else el.append(h("div", { class: "rtu-history", text: "Loading the notebook's past …" }));
      return () => {
        hosts.get(el)?.();
        hosts.delete(el);
      };
    },
  };
};
