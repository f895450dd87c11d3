// The edit box of a cell. A draft lives until it is sent or thrown away, whatever is scrolled or
// drawn anew meanwhile.

import { h, textButton } from "./dom.js";

/**
 * Return an edit box.
 *
 * @param {object} draft `text`, `base` (what the writer saw), and what the last attempt brought:
 *   `sending`, `error`, `theirs`
 * @param {{label: string, canRun: boolean, save(run: boolean): void, cancel(): void}} actions
 * @returns {{element: HTMLElement, focus(): void, update(source: string): void}}
 */
export function editBox(draft, actions) {
  const area = h("textarea", {
    class: "rtu-editor",
    "aria-label": `Source of ${actions.label}`,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    rows: "1",
  });
  area.value = draft.text;
  const say = h("div", { class: "rtu-edit-note", role: "status" });
  const theirs = h("pre", { class: "rtu-pre rtu-theirs", tabindex: "0", "aria-label": "Their text now" });
  const save = textButton("Save", () => actions.save(false), "rtu-primary");
  const run = textButton("Save and run", () => actions.save(true));
  const cancel = textButton("Discard", actions.cancel);
  save.title = "Ctrl+S";
  run.title = "Ctrl+Enter";
  const fit = () => {
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight + 2, 480)}px`;
  };
  area.addEventListener("input", () => {
    draft.text = area.value;
    draft.at = area.selectionStart;
    fit();
  });
  area.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      event.preventDefault();
      actions.save(actions.canRun);
    } else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      actions.save(false);
    } else if (event.key === "Escape") {
      event.preventDefault();
      actions.leave();
    } else if (event.key === "Tab" && !event.shiftKey && area.selectionStart === area.selectionEnd && !draft.tabLeaves) {
      event.preventDefault();
      area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input"));
    }
  });
  const element = h(
    "div",
    { class: "rtu-edit" },
    area,
    say,
    theirs,
    h("div", { class: "rtu-edit-bar" }, save, ...(actions.canRun ? [run] : []), cancel,
      h("span", { class: "rtu-hint", text: "Ctrl+S saves · Ctrl+Enter saves and runs · Esc leaves, the draft stays" })),
  );
  const update = (source) => {
    const changed = source !== draft.base;
    say.textContent = draft.error
      ? draft.error
      : draft.sending
        ? "Sending …"
        : changed
          ? "Others have changed this cell meanwhile; saving merges both."
          : "";
    say.classList.toggle("rtu-bad", Boolean(draft.error));
    theirs.hidden = draft.theirs === undefined;
    theirs.textContent = draft.theirs ?? "";
    save.disabled = run.disabled = Boolean(draft.sending);
    save.textContent = draft.theirs === undefined ? "Save" : "Save mine instead";
  };
  return {
    element,
    update,
    focus() {
      fit();
      area.focus({ preventScroll: true });
      const at = Math.min(draft.at ?? area.value.length, area.value.length);
      area.setSelectionRange(at, at);
    },
    fit,
  };
}
