// What a reader does with a cell: run it, edit it, pull it. Part of the mirror's view.
//
// A draft lives in `drafts` until it is sent or thrown away: nothing that is typed is lost to an
// answer that does not come, to somebody else's edit, or to scrolling.

import { h, textButton } from "./dom.js";

const ANSWER = 60_000; // ms; the other end may be busy with a cell of its own until then

let keys = 0;
const nextKey = () => `${Date.now().toString(36)}-${(keys++).toString(36)}-${Math.random().toString(36).slice(2, 8)}`;

/** The part of the mirror's view that acts; `MirrorView` has what it stands on. */
export class Doing {
  run(id) {
    const { store } = this;
    const cell = store.cells.get(id);
    if (!cell || !(cell.type === "code" || cell.type === "sql")) return;
    if (!store.canRun) {
      this.say(store.alive ? `You are ${article(store.role)} here and cannot run cells; ask an owner for more.` : "This mirror is not live any more.", true);
      return;
    }
    this.act({ a: "run", cell: id });
  }

  edit(id) {
    const { store } = this;
    const cell = store.cells.get(id);
    if (!cell) return;
    if (!store.canEdit) {
      this.say(store.alive ? `You are ${article(store.role)} here and cannot edit; ask an owner for more.` : "This mirror is not live any more.", true);
      return;
    }
    const draft = this.drafts.get(id) ?? { text: cell.src, base: cell.src };
    draft.open = true;
    this.drafts.set(id, draft);
    this._select(id, false);
    this._redraw(id);
    this.list.scrollTo(id, { nearest: true });
    this.views.get(id)?.box?.focus();
  }

  leave(id) {
    const draft = this.drafts.get(id);
    if (draft) draft.open = false;
    if (draft && draft.text === draft.base && !draft.sending) this.drafts.delete(id);
    this._redraw(id);
    this._select(id, true);
  }

  discard(id) {
    this.drafts.delete(id);
    this._redraw(id);
    this._select(id, true);
  }

  save(id, run) {
    const draft = this.drafts.get(id);
    if (!draft || draft.sending) return;
    const { text, base } = draft;
    if (text === base && draft.theirs === undefined) {
      this.discard(id);
      if (run) this.run(id);
      return;
    }
    const key = nextKey();
    draft.sending = key;
    draft.sent = text;
    draft.error = "";
    this._waiting.set(key, id);
    this._redraw(id);
    this.act({ a: "edit", cell: id, base, text, run: Boolean(run), key });
    setTimeout(() => {
      if (this._waiting.delete(key)) this._failed(id, "No answer yet. Your text is kept; save again once the kernel is free.");
    }, ANSWER);
  }

  _reply({ key, ok, error, theirs }) {
    const id = this._waiting.get(key);
    if (id === undefined) return; // another view's
    this._waiting.delete(key);
    if (!ok) {
      this._failed(id, error, theirs);
      return;
    }
    const draft = this.drafts.get(id);
    if (!draft) return;
    draft.sending = null;
    if (draft.text === draft.sent) {
      const focused = this.views.get(id)?.element.contains(document.activeElement);
      this.drafts.delete(id);
      this._redraw(id);
      if (focused) this._select(id, true);
    } else {
      // The writer went on meanwhile: what was sent is the new base.
      draft.base = draft.sent;
      draft.theirs = undefined;
      this._redraw(id);
    }
    this._speak("Saved");
  }

  _failed(id, error, theirs) {
    const draft = this.drafts.get(id);
    if (!draft) return;
    draft.sending = null;
    draft.error = error;
    draft.theirs = theirs;
    if (theirs !== undefined) draft.base = theirs; // now it is seen: saving again means it
    draft.open = true;
    this._redraw(id);
  }

  _redraw(id) {
    this.views.get(id)?.update(new Set(["src"]));
    this.list.touch();
  }

  pull(id) {
    const cell = this.store.cells.get(id);
    if (!cell) return;
    this.act({ a: "pull", cell: id });
    const short = shortId(id, this.store.order);
    this._copy(`%%rtu_edit ${short}\n${cell.src}`, "Copied as %%rtu_edit: paste it into a cell, change it and run it.");
  }

  async _copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.say(done);
    } catch {
      // Without the right to write the clipboard (an insecure page, a frame): to be copied by hand.
      const area = h("textarea", { class: "rtu-editor rtu-by-hand", readonly: true, "aria-label": "Text to copy" });
      area.value = text;
      this.say("");
      this._toast.replaceChildren("Copy this with Ctrl+C: ", area, textButton("Close", () => this._toast.remove()));
      clearTimeout(this._sayTimer);
      area.focus();
      area.select();
      try {
        if (document.execCommand("copy")) this.say(done);
      } catch {
        // stays to be copied by hand
      }
    }
  }
}

/** A role with its article. */
export const article = (role) => (/^[aeiou]/.test(role ?? "") ? `an ${role}` : `a ${role}`);

/** As much of a cell's id as names it. */
function shortId(id, ids) {
  for (let length = 8; length < id.length; length++) {
    const start = id.slice(0, length);
    if (ids.filter((other) => other.startsWith(start)).length === 1) return start;
  }
  return id;
}
