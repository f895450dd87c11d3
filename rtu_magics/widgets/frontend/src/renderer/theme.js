// The colours of the page around a mirror, which may change at any time.

import { isDark, parseColour } from "./colour.js";

const MARKS = ["class", "style", "data-jp-theme-name", "data-jp-theme-light", "data-vscode-theme-id", "data-theme"];

/** Keeps an element in step with the theme of its page: it has the class `rtu-dark` or not. */
export class Theme {
  /**
   * @param {HTMLElement} root
   * @param {() => void} changed called when `now` is another one
   */
  constructor(root, changed) {
    this._root = root;
    this._read();
    const look = () => {
      const before = this.now.key;
      this._read();
      if (this.now.key !== before) changed();
    };
    this._marks = new MutationObserver(look);
    for (const element of [document.documentElement, document.body]) {
      this._marks.observe(element, { attributes: true, attributeFilter: MARKS });
    }
    // What a widget is drawn into comes to its place only later, or into another tab.
    this._placed = new ResizeObserver(look);
    this._placed.observe(root);
    this._scheme = window.matchMedia?.("(prefers-color-scheme: dark)");
    this._look = look;
    this._scheme?.addEventListener("change", look);
  }

  destroy() {
    this._marks.disconnect();
    this._placed.disconnect();
    this._scheme?.removeEventListener("change", this._look);
  }

  _read() {
    const dark = isDark(this._root.parentElement ?? document.body);
    this._root.classList.toggle("rtu-dark", dark);
    const style = getComputedStyle(this._root);
    const foreground = style.color || (dark ? "#ddd" : "#222");
    const background = parseColour(style.backgroundColor) ?? (dark ? [17, 17, 17] : [255, 255, 255]);
    /** `dark`, `foreground`, `background`, and a `key` that differs where any of them does. */
    this.now = { dark, foreground, background, key: `${dark}${foreground}${background}` };
  }
}
