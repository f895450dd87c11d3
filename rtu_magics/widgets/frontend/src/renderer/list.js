// A long list of which only what is in sight is in the DOM.
//
// Heights are guessed, then measured. Whatever changes above the reader's place, the item at the top
// of the view stays where it is.

const MARGIN = 500; // px above and below the view that are kept ready
const LEAST_VIEW = 300; // px
const TURNS = 4; // measuring may bring other items into sight

export class VirtualList {
  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} host inside the scroller
   * @param {{create(id: string): HTMLElement, remove(id: string, element: HTMLElement): void,
   *   estimate(id: string): number, shown?(ids: string[]): void}} items
   */
  constructor(scroller, host, items) {
    this.scroller = scroller;
    this.host = host;
    this.items = items;
    this.ids = [];
    this.elements = new Map();
    this._heights = new Map(); // measured
    this._guesses = new Map();
    this._drawn = []; // the ids of what is in the DOM, in order
    this._offsets = null;
    this._above = document.createElement("div");
    this._below = document.createElement("div");
    for (const pad of [this._above, this._below]) {
      pad.setAttribute("aria-hidden", "true");
      pad.className = "rtu-pad";
    }
    host.replaceChildren(this._above, this._below);
    this._onScroll = () => this._later();
    scroller.addEventListener("scroll", this._onScroll, { passive: true });
    this._resized = new ResizeObserver(() => this._later());
    this._resized.observe(scroller);
    this._frame = 0;
    this._anchor = null;
  }

  destroy() {
    cancelAnimationFrame(this._frame);
    this._resized.disconnect();
    this.scroller.removeEventListener("scroll", this._onScroll);
    for (const [id, element] of this.elements) this.items.remove(id, element);
    this.elements.clear();
    this._heights.clear();
    this._guesses.clear();
  }

  /** Show these items, in this order. */
  setIds(ids) {
    this._anchor ??= this._findAnchor();
    this.ids = ids;
    this._offsets = null;
    if (this._guesses.size > ids.length * 2 + 100) {
      const present = new Set(ids);
      for (const known of [this._heights, this._guesses]) {
        for (const id of known.keys()) if (!present.has(id)) known.delete(id);
      }
    }
    this.update();
  }

  /** Something inside changed its height, or is about to. */
  touch() {
    this._later();
  }

  _later() {
    this._frame ||= requestAnimationFrame(() => {
      this._frame = 0;
      this.update();
    });
  }

  _height(id) {
    const known = this._heights.get(id) ?? this._guesses.get(id);
    if (known !== undefined) return known;
    const guess = this.items.estimate(id);
    this._guesses.set(id, guess);
    return guess;
  }

  _tops() {
    if (this._offsets) return this._offsets;
    const tops = new Float64Array(this.ids.length + 1);
    for (let i = 0; i < this.ids.length; i++) tops[i + 1] = tops[i] + this._height(this.ids[i]);
    return (this._offsets = tops);
  }

  /** Index of the item at a height. */
  _at(y) {
    const tops = this._tops();
    let low = 0;
    let high = this.ids.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  /** The item at the top of the view, and how far its top is from the view's. */
  _findAnchor() {
    const top = this.scroller.getBoundingClientRect().top;
    if (this.scroller.scrollTop <= 0) return null;
    for (const id of this._drawn) {
      const element = this.elements.get(id);
      if (!element?.isConnected) continue;
      const box = element.getBoundingClientRect();
      if (box.bottom > top + 1) return { id, offset: box.top - top, scrollTop: this.scroller.scrollTop };
    }
    return null;
  }

  update() {
    if (!this.scroller.getClientRects().length) return; // hidden: drawn when it is seen again
    const anchor = this._anchor ?? this._kept();
    this._anchor = null;
    for (let turn = 0; turn < TURNS; turn++) {
      const [first, last] = this._range(turn === 0 ? anchor : null);
      this._draw(first, last);
      const changed = this._measure();
      if (changed) this._pad(first, last);
      if (anchor) this._hold(anchor);
      if (!changed) break;
    }
    this._last = this._findAnchor();
    this.items.shown?.(this._drawn);
  }

  /** The anchor of the last update, unless the reader has scrolled since. */
  _kept() {
    const last = this._last;
    if (last && Math.abs(last.scrollTop - this.scroller.scrollTop) < 1 && this.elements.has(last.id)) return last;
    return this._findAnchor();
  }

  _range(anchor) {
    if (!this.ids.length) return [0, -1];
    let top = this.scroller.scrollTop;
    if (anchor) {
      const index = this.ids.indexOf(anchor.id);
      if (index >= 0) top = this._tops()[index] - anchor.offset;
    }
    // Empty, it has no height yet; with something in it, it grows to its largest.
    const view = Math.max(this.scroller.clientHeight, LEAST_VIEW);
    return [this._at(top - MARGIN), this._at(top + view + MARGIN)];
  }

  _draw(first, last) {
    this._drawn = this.ids.slice(first, last + 1);
    const wanted = new Set(this._drawn);
    for (const [id, element] of this.elements) {
      if (wanted.has(id)) continue;
      this._resized.unobserve(element);
      this.elements.delete(id);
      this.items.remove(id, element);
      element.remove();
    }
    this._pad(first, last);
    let at = this._above.nextSibling;
    for (const id of wanted) {
      let element = this.elements.get(id);
      if (!element) {
        element = this.items.create(id);
        this.elements.set(id, element);
        this._resized.observe(element);
      }
      if (element === at) at = at.nextSibling;
      else this.host.insertBefore(element, at);
    }
  }

  _pad(first, last) {
    const tops = this._tops();
    const total = tops[this.ids.length];
    this._above.style.height = `${tops[Math.max(0, first)]}px`;
    this._below.style.height = `${Math.max(0, total - tops[Math.min(this.ids.length, last + 1)])}px`;
  }

  /** Take the heights of what is drawn; returns whether any was not as expected. */
  _measure() {
    let changed = false;
    for (const [id, element] of this.elements) {
      const height = element.getBoundingClientRect().height;
      if (Math.abs(height - this._height(id)) > 0.5 || !this._heights.has(id)) {
        changed ||= Math.abs(height - this._height(id)) > 0.5;
        this._heights.set(id, height);
      }
    }
    if (changed) this._offsets = null;
    return changed;
  }

  _hold(anchor) {
    const element = this.elements.get(anchor.id);
    if (!element) return;
    const top = this.scroller.getBoundingClientRect().top;
    const moved = element.getBoundingClientRect().top - top - anchor.offset;
    if (Math.abs(moved) > 0.5) this.scroller.scrollTop += moved;
  }

  /** Bring an item into view: to the top, or only as far as needed. */
  scrollTo(id, { nearest = false } = {}) {
    const index = this.ids.indexOf(id);
    if (index < 0) return;
    for (let turn = 0; turn < TURNS; turn++) {
      const tops = this._tops();
      const view = this.scroller.clientHeight;
      let top = tops[index] - 8;
      if (nearest) {
        const now = this.scroller.scrollTop;
        if (tops[index] >= now && tops[index + 1] <= now + view) return;
        if (tops[index] > now) top = Math.min(top, tops[index + 1] - view + 8);
      }
      top = Math.max(0, Math.min(top, tops[this.ids.length] - view));
      if (turn && Math.abs(this.scroller.scrollTop - top) < 1) break;
      this._anchor = this._last = null;
      this.scroller.scrollTop = top;
      const [first, last] = this._range(null);
      this._draw(first, last);
      this._measure();
      this._pad(first, last);
    }
    this._last = null;
    this.update();
  }
}
