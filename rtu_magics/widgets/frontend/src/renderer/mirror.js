// The mirror of a notebook in an element. It is fed by a `MirrorStore` and says through `act` what
// the reader wants; where messages come from and go to is no concern of its.

import { CellView, stateName } from "./cell.js";
import { Doing } from "./doing.js";
import { h, textButton } from "./dom.js";
import { Head } from "./head.js";
import { VirtualList } from "./list.js";
import { MirrorStore } from "./store.js";
import { Theme } from "./theme.js";

export { MirrorStore };

const NEED_DELAY = 40; // ms: cells that come into sight together ask for their outputs together
const NEED_AGAIN = 8_000;
const TICK = 250;
const JUMP = "rtu-magics:jump";

/**
 * Show a mirror.
 *
 * @param {HTMLElement} host
 * @param {MirrorStore} store
 * @param {{act?: (action: object) => void, height?: string}} [options]
 *   `act` takes what the reader does:
 *   `{a: "run", cell}`, `{a: "edit", cell, base, text, run, key}`, `{a: "pull", cell}`,
 *   `{a: "select", cell}`, `{a: "need", cells}`, `{a: "fetch", cell, out, mime}`.
 *   Actions with a key are answered by a message `{t: "reply", key, ok, error?, theirs?}`.
 * @returns {{follow(user: string|null): void, jump(cell: string): void, destroy(): void}}
 */
export function mount(host, store, options = {}) {
  return new MirrorView(host, store, options);
}

class MirrorView extends Doing {
  constructor(host, store, { act = () => {}, height = "min(70vh, 640px)" }) {
    super();
    this.store = store;
    this.act = act;
    this.views = new Map();
    this.drafts = new Map();
    this.uis = new Map();
    this.following = null;
    this.current = null;
    this._waiting = new Map(); // key → cell
    this._needed = new Map(); // cell → when it was asked for
    this._asked = new Set(); // outputs of which an entry was asked for
    this._needTimer = 0;
    this._ticker = 0;

    this.head = new Head(store, (user) => this.follow(user));
    this.feed = h("div", { class: "rtu-feed", role: "feed", "aria-label": "Cells of the remote notebook" });
    this.scroller = h("div", { class: "rtu-scroll", tabindex: "0", role: "region", "aria-label": "Remote notebook" }, this.feed);
    this.scroller.style.maxHeight = height;
    this.live = h("div", { class: "rtu-sr", "aria-live": "polite" });
    // JupyterLab's and Notebook's own shortcuts keep out of an element that says so.
    this.root = h("section", { class: "rtu-mirror", "data-lm-suppress-shortcuts": "true", "aria-label": "Live mirror" },
      this.head.element, this.head.list, this.head.banner, this.scroller, this.live);
    host.append(this.root);

    this._themes = new Theme(this.root, () => this._themeChanged());
    this.list = new VirtualList(this.scroller, this.feed, {
      create: (id) => this._create(id),
      remove: (id) => this._remove(id),
      estimate: (id) => this._estimate(id),
      shown: (ids) => this._shown(ids),
    });
    this._unsubscribe = store.subscribe((change, message) => this._changed(change, message));
    this.root.addEventListener("keydown", (event) => this._key(event));
    this.feed.addEventListener("focusin", (event) => this._focused(event));
    for (const event of ["wheel", "touchmove"]) {
      this.scroller.addEventListener(event, () => this._readerMoved(), { passive: true });
    }
    this._onJump = ({ detail }) => {
      if (detail?.file_id === store.info.file && detail.cell_id) this.jump(detail.cell_id);
    };
    window.addEventListener(JUMP, this._onJump);
    this._drawAll();
  }

  destroy() {
    this._unsubscribe();
    this._themes.destroy();
    window.removeEventListener(JUMP, this._onJump);
    clearTimeout(this._needTimer);
    clearInterval(this._ticker);
    clearTimeout(this._sayTimer);
    this.list.destroy();
    this.root.remove();
  }

  get theme() {
    return this._themes.now;
  }

  // What the reader has unfolded in a cell.
  ui(id) {
    let found = this.uis.get(id);
    if (!found) this.uis.set(id, (found = {}));
    return found;
  }

  /** Load an entry of an output that is in sight, once. */
  soon(output, load) {
    if (this._asked.has(output)) return;
    this._asked.add(output);
    load();
  }

  // ---------------------------------------------------------------- drawing

  _changed(change, message) {
    if (message.t === "reply") this._reply(message);
    else if (message.t === "say") this.say(message.text, message.bad);
    else if (message.t === "jump") this.jump(message.cell);
    else if (message.t === "follow") this.follow(message.user);
    if (change.fresh) {
      if (message.part === 0) {
        this._needed.clear();
        this._asked.clear();
      }
      this._drawAll();
    } else {
      if (change.structure) {
        this._forget();
        this.list.setIds([...this.store.order]);
        for (const view of this.views.values()) view.place();
        this._empty();
      }
      for (const [id, aspects] of change.cells) {
        const view = this.views.get(id);
        if (aspects.has("state")) this._announce(id);
        if (!view) continue;
        view.update(aspects);
        this.list.touch();
      }
      if (change.status) this._drawStatus();
      if (change.people || change.status) this.head.drawPeople(this.following);
    }
    if (change.people && this.following) this._follow();
    this._tick();
  }

  _drawAll() {
    this._forget();
    this._drawStatus();
    this.head.drawPeople(this.following);
    this.list.setIds([...this.store.order]);
    for (const view of this.views.values()) view.update(new Set(["type", "src", "outs", "state", "people"]));
    this.list.touch();
    this._empty();
    this._tick();
  }

  _themeChanged() {
    for (const view of this.views.values()) view.update(new Set(["src", "outs"]));
    this.list.touch();
  }

  _empty() {
    const empty = !this.store.order.length;
    this.feed.setAttribute("aria-busy", String(!this.store.complete));
    this._emptyNote ??= h("div", { class: "rtu-empty" });
    this._emptyNote.textContent = this.store.seq === null && !this.store.complete ? "Loading the notebook …" : "The notebook has no cells yet.";
    if (empty) this.scroller.append(this._emptyNote);
    else this._emptyNote.remove();
  }

  /** Drop what is remembered of cells that have gone; a draft stays until its writer has read it. */
  _forget() {
    for (const id of this.uis.keys()) if (!this.store.cells.has(id)) this.uis.delete(id);
    for (const id of this._needed.keys()) if (!this.store.cells.has(id)) this._needed.delete(id);
    if (!this.store.complete) return;
    for (const [id, draft] of this.drafts) {
      if (this.store.cells.has(id)) continue;
      this.drafts.delete(id);
      if (draft.text !== draft.base) this.head.offerLost(() => this._copy(draft.text, "Your text is copied."));
    }
  }

  _create(id) {
    const view = new CellView(id, this);
    this.views.set(id, view);
    view.element.tabIndex = id === this.current ? 0 : -1;
    return view.element;
  }

  _remove(id) {
    const view = this.views.get(id);
    if (view?.element.contains(document.activeElement)) this.scroller.focus({ preventScroll: true });
    view?.destroy();
    this.views.delete(id);
  }

  _estimate(id) {
    const cell = this.store.cells.get(id);
    if (!cell) return 60;
    const lines = Math.min(1 + (cell.src.length ? cell.src.split("\n", 400).length : 0), 400);
    const outputs = (cell.outs ?? []).slice(0, 20).reduce((sum, output) => sum + guess(output), 0);
    return 40 + lines * 18 + outputs;
  }

  _shown(ids) {
    const now = performance.now();
    const wanted = ids.filter((id) => {
      const cell = this.store.cells.get(id);
      return cell && cell.outs === null && now - (this._needed.get(id) ?? -Infinity) > NEED_AGAIN;
    });
    if (!wanted.length || this._needTimer || !this.store.alive) return;
    this._needTimer = setTimeout(() => {
      this._needTimer = 0;
      const cells = [...this.views.keys()].filter((id) => this.store.cells.get(id)?.outs === null);
      for (const id of cells) this._needed.set(id, performance.now());
      if (cells.length) this.act({ a: "need", cells });
    }, NEED_DELAY);
  }

  _drawStatus() {
    const { store } = this;
    this.root.dataset.connection = this.head.connection;
    this.root.dataset.role = store.role ?? "";
    this.root.dataset.kernel = store.kernel?.state ?? "";
    this.head.drawStatus();
    for (const view of this.views.values()) view.update(new Set(["role"]));
  }

  _announce(id) {
    const cell = this.store.cells.get(id);
    if (!cell || !["finished_with_no_error", "finished_with_error"].includes(cell.st)) return;
    this._speak(`Cell ${this.store.position(id) + 1} ${stateName(cell)}`);
  }

  _speak(text) {
    // One line at a time: a hundred cells of Run All would talk for minutes.
    this.live.textContent = text;
  }

  /** Say something that goes away by itself, unless it is bad. */
  say(text, bad = false) {
    this._toast ??= h("div", { class: "rtu-toast", role: "status" });
    this._toast.classList.toggle("rtu-bad", bad);
    this._toast.replaceChildren(text, " ", textButton("Close", () => this._toast.remove()));
    this.root.append(this._toast);
    clearTimeout(this._sayTimer);
    this._sayTimer = setTimeout(() => this._toast.remove(), bad ? 15_000 : 5_000);
  }

  _tick() {
    const running = [...this.views.values()].filter((view) => view.tick()).length > 0;
    if (running && !this._ticker) this._ticker = setInterval(() => this._tick(), TICK);
    else if (!running && this._ticker) {
      clearInterval(this._ticker);
      this._ticker = 0;
    }
  }

  // ---------------------------------------------------------------- moving

  jump(id) {
    if (!this.store.cells.has(id)) return;
    this.list.scrollTo(id);
    this._select(id, false);
    const view = this.views.get(id);
    view?.element.classList.remove("rtu-jumped");
    void view?.element.offsetWidth; // the animation starts anew
    view?.element.classList.add("rtu-jumped");
  }

  follow(user) {
    if (user === this.following) return;
    this.following = user;
    const person = this.store.people.get(user);
    this.root.dataset.following = user ?? "";
    this.head.drawPeople(this.following);
    if (user) {
      this._speak(`Following ${person?.name ?? "somebody"}`);
      this._follow();
    }
  }

  _follow() {
    const person = this.store.people.get(this.following);
    if (person?.cell && this.store.cells.has(person.cell)) this.list.scrollTo(person.cell, { nearest: true });
  }

  _readerMoved() {
    if (this.following) this.follow(null);
  }

  _select(id, focus) {
    if (this.current && this.current !== id) {
      const before = this.views.get(this.current)?.element;
      if (before) before.tabIndex = -1;
      before?.classList.remove("rtu-current");
    }
    if (this.current !== id) this.act({ a: "select", cell: id });
    this.current = id;
    const element = this.views.get(id)?.element;
    if (!element) return;
    element.tabIndex = 0;
    element.classList.add("rtu-current");
    if (focus) element.focus({ preventScroll: true });
  }

  _focused(event) {
    const id = event.target.closest?.("[data-cell-id]")?.dataset.cellId;
    if (id && id !== this.current) this._select(id, false);
  }

  _key(event) {
    if (event.defaultPrevented || event.altKey || event.isComposing) return;
    const inside = event.target.closest?.("button, a, textarea, iframe, select, input");
    const control = event.ctrlKey || event.metaKey;
    const id = this.current;
    if (control && event.key === "Enter" && id) this.run(id);
    else if (inside || control) return;
    else if (event.key === "ArrowDown" || event.key === "j") this._step(1);
    else if (event.key === "ArrowUp" || event.key === "k") this._step(-1);
    else if (event.key === "Home") this._go(0);
    else if (event.key === "End") this._go(this.store.order.length - 1);
    else if (event.key === "Enter" && id) this.edit(id);
    else if (event.key === "p" && id) this.pull(id);
    else if (event.key === "Escape") this.follow(null);
    else if (event.key === "PageDown" || event.key === "PageUp") {
      this._readerMoved();
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  _step(by) {
    const at = this.current ? this.store.position(this.current) : -1;
    this._go(at < 0 ? this._firstInView() : at + by);
  }

  _firstInView() {
    const top = this.scroller.getBoundingClientRect().top;
    const id = this.store.order.find((one) => (this.views.get(one)?.element.getBoundingClientRect().bottom ?? -1) > top + 10);
    return id ? this.store.position(id) : 0;
  }

  _go(index) {
    const id = this.store.order[Math.max(0, Math.min(index, this.store.order.length - 1))];
    if (!id) return;
    this._readerMoved();
    this.list.scrollTo(id, { nearest: true });
    this._select(id, true);
  }
}

function guess(output) {
  if (output.k === "stream") return Math.min(600, 16 * (output.text.split("\n", 60).length + 1));
  if (output.k === "error") return Math.min(600, 16 * (output.tb ?? "").split("\n", 40).length);
  const data = output.data ?? {};
  if (Object.hasOwn(data, "text/html")) return 200;
  if (Object.keys(data).some((name) => name.startsWith("image/"))) return 260;
  return 40;
}
