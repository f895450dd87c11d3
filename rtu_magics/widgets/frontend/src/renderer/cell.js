// One cell as an element.

import { h, iconButton, note } from "./dom.js";
import { editBox } from "./edit.js";
import { inOrder } from "./head.js";
import { sourceFragment } from "./highlight.js";
import { markdownFragment } from "./markdown.js";
import { reconcile, renderOutputs } from "./outputs.js";
import { count, deceives, duration, elide, markDeceiving } from "./text.js";

const SOURCE = { total: 40_000, line: 2_000 };
const MORE_SOURCE = { total: 400_000, line: 100_000 };
const CHIPS = 2; // people whose names stand at a cell; of more there is the number
const FLASH = 1_200; // ms that an edit by somebody else is marked

const STATES = new Map([
  ["queued", "queued"],
  ["executing", "running"],
  ["finished_with_no_error", "done"],
  ["finished_with_error", "failed"],
  ["dequeued", "not run"],
  ["interrupted", "interrupted"],
  ["catastrophic_failure", "failed"],
]);

/** A cell's state for people: empty if it never ran. */
export const stateName = (cell) => STATES.get(cell.st) ?? "";

const OLD = "changed since it ran";

/** Whether what a cell shows comes from another text than the one that it holds. */
const isOld = (cell) => Boolean(cell.old) && Boolean(cell.st?.startsWith("finished"));

export class CellView {
  /**
   * @param {string} id
   * @param {object} mirror the view around: `store`, `theme`, `root`, `ui(id)`, `act`, `edit`, …
   */
  constructor(id, mirror) {
    this.id = id;
    this.mirror = mirror;
    this.position = h("div", { class: "rtu-position", "aria-hidden": "true" });
    this.count = h("div", { class: "rtu-count", "aria-hidden": "true" });
    this.state = h("div", { class: "rtu-state" });
    this.who = h("div", { class: "rtu-who" });
    this.source = h("div", { class: "rtu-source" });
    this.outputs = h("div", { class: "rtu-outputs" });
    this.buttons = h("div", { class: "rtu-buttons" });
    this.element = h(
      "article",
      { class: "rtu-cell", tabindex: "-1", "data-cell-id": id },
      h("div", { class: "rtu-gutter" }, this.position, this.count),
      h("div", { class: "rtu-main" },
        h("div", { class: "rtu-bar" }, this.state, this.who, this.buttons),
        this.source,
        this.outputs),
    );
    this.box = null;
    this.update(new Set(["type", "src", "outs", "state", "people"]));
  }

  get cell() {
    return this.mirror.store.cells.get(this.id);
  }

  destroy() {
    clearTimeout(this._flash);
    this.box = null;
  }

  label() {
    return `cell ${this.mirror.store.position(this.id) + 1}`;
  }

  /** Draw what changed anew. */
  update(aspects) {
    const cell = this.cell;
    if (!cell) return;
    if (aspects.has("type")) {
      this.element.dataset.type = cell.type;
      this._buttons();
    }
    if (aspects.has("src") || aspects.has("type")) this._source(cell);
    if (aspects.has("outs") || aspects.has("type") || aspects.has("state")) this._outputs(cell);
    if (aspects.has("state") || aspects.has("type")) this._state(cell);
    if (aspects.has("people") || aspects.has("src")) this._people(cell);
    if (aspects.has("role")) this._buttons();
    this.place();
  }

  /** Say where it is, which others' changes alter. */
  place() {
    const { store } = this.mirror;
    const position = store.position(this.id) + 1;
    const cell = this.cell;
    const state = stateName(cell);
    if (this.position.textContent !== String(position)) {
      this.position.textContent = position;
      this.position.title = `Cell ${position}: so the magics call it, as in %rtu_show ${position}`;
      this._buttons();
    }
    this.element.setAttribute("aria-posinset", position);
    this.element.setAttribute("aria-setsize", store.order.length);
    this.element.setAttribute("aria-label", `Cell ${position}, ${cell.type}${state ? `, ${state}` : ""}${isOld(cell) ? `, ${OLD}` : ""}`);
  }

  _buttons() {
    const { mirror } = this;
    const { store } = mirror;
    const cell = this.cell;
    const runs = cell.type === "code" || cell.type === "sql";
    const label = this.label();
    const buttons = [];
    if (runs && store.canRun) buttons.push(iconButton("run", `Run ${label}`, () => mirror.run(this.id)));
    if (store.canEdit) buttons.push(iconButton("edit", `Edit ${label}`, () => mirror.edit(this.id)));
    buttons.push(iconButton("pull", `Pull ${label} as %%rtu_edit`, () => mirror.pull(this.id)));
    this.buttons.replaceChildren(...buttons);
  }

  _source(cell) {
    const draft = this.mirror.drafts.get(this.id);
    if (draft?.open) {
      if (!this.box) {
        this.box = editBox(draft, {
          label: this.label(),
          canRun: this.mirror.store.canRun && (cell.type === "code" || cell.type === "sql"),
          save: (run) => this.mirror.save(this.id, run),
          cancel: () => this.mirror.discard(this.id),
          leave: () => this.mirror.leave(this.id),
        });
        this.source.replaceChildren(this.box.element);
        this.element.classList.add("rtu-editing");
        queueMicrotask(() => this.box?.fit());
      }
      this.box.update(cell.src);
      return;
    }
    this.box = null;
    this.element.classList.remove("rtu-editing");
    const children = [];
    try {
      children.push(...(cell.type === "markdown" && cell.src.trim() ? [this._markdown(cell)] : this._text(cell)));
    } catch (error) {
      // One cell that cannot be drawn must not keep the others from being drawn.
      console.warn("rtu-magics: a cell is shown as plain text", error);
      children.push(h("pre", { class: "rtu-pre rtu-code", text: cell.src.slice(0, SOURCE.total) }));
    }
    if (draft) {
      const open = note("You have a draft of this cell that is not sent.", "Go on editing", () => this.mirror.edit(this.id));
      children.push(open);
    }
    if (deceives(cell.src)) {
      children.push(note("This cell holds characters that hide or turn text around; they are shown as U+… marks."));
    }
    this.source.replaceChildren(...children);
  }

  _markdown(cell) {
    const body = h("div", { class: "rtu-markdown" });
    body.append(markdownFragment(cell.src, cell.attachments));
    markDeceiving(body);
    return body;
  }

  _text(cell) {
    const ui = this.mirror.ui(this.id);
    const cut = elide(cell.src, ui.source ? MORE_SOURCE : SOURCE);
    const language = cell.lang ?? (cell.type === "code" ? this.mirror.store.info.language : null);
    const pre = h("pre", { class: `rtu-pre rtu-code${ui.source ? " rtu-wrap" : ""}`, tabindex: "-1" });
    const code = h("code", {});
    code.append(cut.hidden ? cut.text : sourceFragment(cut.text, language));
    markDeceiving(code);
    // An empty cell has a line, too.
    if (!cell.src) code.append("\u00a0");
    pre.append(code);
    if (!cut.hidden) return [pre];
    const text = `${count(cut.hidden)} characters of this cell are not shown.`;
    const again = () => {
      ui.source = true;
      this.update(new Set(["src"]));
    };
    return [pre, ui.source ? note(`${text} Pull it to see it whole.`) : note(text, "Show more", again)];
  }

  _outputs(cell) {
    const { mirror } = this;
    const outputs = cell.outs ?? cell.stale ?? [];
    const runs = cell.type === "code" || cell.type === "sql";
    if (!runs || !outputs.length) {
      const loading = runs && cell.outs === null && !cell.stale;
      this.outputs.hidden = !loading;
      reconcile(this.outputs, loading ? [h("div", { class: "rtu-loading", text: "Loading outputs …" })] : []);
      return;
    }
    this.outputs.hidden = false;
    this.outputs.classList.toggle("rtu-old", cell.st === "queued");
    renderOutputs(this.outputs, outputs, {
      cell: this.id,
      ui: mirror.ui(this.id),
      theme: mirror.theme,
      root: mirror.root,
      act: mirror.act,
      soon: (output, load) => mirror.soon(output, load),
      label: () => this.label(),
      // At first it is in no page: then all but the gutter and the edges is its.
      width: () => (this.outputs.clientWidth || mirror.root.clientWidth - 84) - 18,
      again: () => {
        this.update(new Set(["outs"]));
        mirror.list.touch();
      },
    });
  }

  _state(cell) {
    const name = stateName(cell);
    this.element.dataset.state = name || "idle";
    this.element.classList.toggle("rtu-changed", isOld(cell));
    const runs = cell.type === "code" || cell.type === "sql";
    const busy = cell.st === "executing" || cell.st === "queued";
    this.count.textContent = runs ? `[${busy ? "*" : (cell.n ?? " ")}]` : "";
    this.tick();
    this.state.title = cell.why ?? "";
  }

  /** Bring the elapsed time up to date; returns whether it runs on. */
  tick() {
    const cell = this.cell;
    if (!cell) return false;
    const name = stateName(cell);
    const running = cell.st === "executing" && cell.since !== null;
    const ms = running ? performance.now() - cell.since : cell.ms;
    const timed = running || (name && cell.st?.startsWith("finished") && Number.isFinite(ms));
    const why = cell.why && (running || cell.st === "finished_with_error") ? `: ${cell.why}` : "";
    const kind = cell.type === "code" ? "" : cell.type;
    const text = [kind, name && `${name}${timed ? ` ${duration(Math.max(0, ms))}` : ""}${why}`, isOld(cell) && OLD];
    const line = text.filter(Boolean).join(" · ");
    if (this.state.textContent !== line) this.state.textContent = line;
    return running;
  }

  _people(cell) {
    const { store } = this.mirror;
    const here = inOrder(store).filter((person) => person.cell === this.id);
    const names = here.map((person) => person.name || "somebody");
    this.who.replaceChildren(
      ...here.slice(0, CHIPS).map((person, index) => {
        const chip = h("span", { class: "rtu-chip", text: names[index], title: names[index] });
        chip.style.backgroundColor = store.colours.of(person.id);
        return chip;
      }),
    );
    if (here.length > CHIPS) {
      this.who.append(h("span", { class: "rtu-more", text: `+${here.length - CHIPS}`, title: names.slice(CHIPS).join(", ") }));
    }
    clearTimeout(this._flash);
    const age = performance.now() - (cell.editedAt ?? -Infinity);
    const flashing = age < FLASH;
    this.element.classList.toggle("rtu-flash", flashing);
    const colour = here.length ? this.mirror.store.colours.of(here[0].id) : cell.editedBy && flashing ? this.mirror.store.colours.of(cell.editedBy) : "";
    this.element.style.setProperty("--rtu-person", colour || "transparent");
    this.element.classList.toggle("rtu-peopled", Boolean(colour));
    if (flashing) this._flash = setTimeout(() => this._people(this.cell ?? cell), FLASH - age + 20);
  }
}
