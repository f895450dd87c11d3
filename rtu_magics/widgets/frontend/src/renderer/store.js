// What is known of the notebook: a snapshot, and the patches after it. No DOM.
//
// Messages, as JSON:
//
//   {t: "snapshot", seq, part, parts, info: {path, file, language, me, cells}, role, conn, kernel,
//    people: [person], cells: [cell]}            the first part has everything, later ones only cells
//   {t: "patch", seq, ops: [op, …]}              seq counts on from the snapshot's
//   {t: "entry", cell, out, mime, value}         an entry of an output that was left out; mime "": its text
//   {t: "reply", key, …}                         answers the action with this key
//   {t: "say", text, bad}                        a line for the reader
//   {t: "jump", cell}, {t: "follow", user}       user null ends following
//
//   cell   {id, type, lang?, src, n?, st?, ms?, why?, old?, outs}  outs null: not loaded yet; old: its
//          text is another one than the one that ran
//   output {id, k: "stream", name, text, cut?} | {id, k: "error", ename, evalue, tb}
//          | {id, k: "data" | "result", data, meta?, omit?: {mimetype: length or -1}, foreign?}
//   person {id, name, role, cell}
//
//   ops    ["src", cell, splices, user?]         splices [[at, gone, added], …] in code points
//          ["add", after, cell]  ["del", cell]  ["mv", cell, after]      after null: the top
//          ["type", cell, type, lang]
//          ["st", cell, state, n, ms, why]       ms: how long it has been in this state, or ran
//          ["old", cell, whether]
//          ["outs", cell, outputs]  ["out+", cell, output]  ["out=", cell, output]
//          ["txt", cell, output id, text]        a stream goes on
//          ["who", person]  ["bye", user]  ["ker", {name, state, why?}]  ["conn", state, detail]
//          ["role", role]  ["info", changes]

import { PeopleColours } from "./colour.js";
import { splice } from "./text.js";

const STREAM_LIMIT = 200_000; // characters of a stream that are kept
const STREAM_HEAD = 20_000;
const STREAM_TAIL = 80_000;

/** What changed, for whoever draws it. */
class Change {
  cells = new Map(); // id → Set of "src", "outs", "state", "people", "type"
  structure = false;
  people = false;
  status = false;
  fresh = false; // everything may be different

  mark(id, aspect) {
    let aspects = this.cells.get(id);
    if (!aspects) this.cells.set(id, (aspects = new Set()));
    aspects.add(aspect);
  }
}

export class MirrorStore {
  constructor() {
    this.seq = null; // null: no snapshot yet, patches mean nothing
    this.info = {};
    this.role = null;
    this.connection = { state: "connecting", detail: "" };
    this.kernel = null;
    this.people = new Map();
    this.colours = new PeopleColours();
    this.order = [];
    this.cells = new Map();
    this.complete = false;
    this.alive = true; // whether there is somebody at the other end
    this._listeners = new Set();
    this._positions = null;
  }

  /** Call `listener(change, message)` after each message; returns a function that ends this. */
  subscribe(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  /** Position of a cell, from 0; -1 if there is none. */
  position(id) {
    if (!this._positions) {
      this._positions = new Map(this.order.map((cell, index) => [cell, index]));
    }
    return this._positions.get(id) ?? -1;
  }

  get canRun() {
    return this.alive && ["executor", "contributor", "owner"].includes(this.role ?? "owner");
  }

  get canEdit() {
    return this.alive && ["contributor", "owner"].includes(this.role ?? "owner");
  }

  /** The other end is gone for good, or is back. */
  setAlive(alive) {
    if (alive === this.alive) return;
    this.alive = alive;
    const change = new Change();
    change.status = true;
    this._tell(change, { t: "alive" });
  }

  /**
   * Take a message.
   *
   * @returns {boolean} whether it fits: after false, ask for a new snapshot
   */
  receive(message) {
    const change = new Change();
    let fits = true;
    if (message.t === "snapshot") fits = this._snapshot(message, change);
    else if (message.t === "patch") fits = this._patch(message, change);
    else if (message.t === "entry") this._entry(message, change);
    this._tell(change, message);
    return fits;
  }

  _tell(change, message) {
    for (const listener of [...this._listeners]) {
      try {
        listener(change, message);
      } catch (error) {
        console.error("rtu-magics: the mirror failed to draw", error);
      }
    }
  }

  _snapshot(message, change) {
    if (message.part === 0) {
      this.info = message.info;
      this.role = message.role;
      this.connection = { state: message.conn[0], detail: message.conn[1] };
      this.kernel = message.kernel;
      this.people = new Map(message.people.map((person) => [person.id, person]));
      this.order = [];
      this._old = this.cells;
      this.cells = new Map();
      this.seq = null;
      this._next = 0;
    } else if (message.part !== this._next) {
      return this.complete; // a later part of a snapshot whose beginning went by
    }
    this._next = message.part + 1;
    for (const cell of message.cells) {
      // What was loaded stays until it is loaded anew: nothing jumps.
      const old = this._old?.get(cell.id);
      if (cell.outs === null && old?.outs) cell.stale = old.outs;
      this._stamp(cell);
      this.cells.set(cell.id, cell);
      this.order.push(cell.id);
    }
    this._positions = null;
    this.complete = message.part + 1 === message.parts;
    if (this.complete) {
      this.seq = message.seq;
      this._old = null;
    }
    change.fresh = change.structure = change.people = change.status = true;
    return true;
  }

  /** Turn "for so long" into "since", by this machine's clock. */
  _stamp(cell) {
    if (cell.st === "executing") cell.since = performance.now() - (cell.ms ?? 0);
    else cell.since = null;
  }

  _patch(message, change) {
    if (this.seq === null) return true; // a snapshot is on its way
    if (message.seq <= this.seq) return true; // the snapshot has it
    if (message.seq !== this.seq + 1) {
      this.seq = null;
      return false;
    }
    for (const op of message.ops) {
      if (!this._apply(op, change)) {
        this.seq = null;
        return false;
      }
    }
    this.seq = message.seq;
    return true;
  }

  _apply([kind, id, ...rest], change) {
    const cell = this.cells.get(id);
    switch (kind) {
      case "src": {
        if (!cell) return false;
        cell.src = splice(cell.src, rest[0]);
        change.mark(id, "src");
        const person = rest[1] && this.people.get(rest[1]);
        if (person) {
          this._place(person, id, change);
          if (rest[1] !== this.info.me) {
            cell.editedBy = rest[1];
            cell.editedAt = performance.now();
          }
        }
        return true;
      }
      case "add": {
        const [added] = rest;
        this._stamp(added);
        this.cells.set(added.id, added);
        change.structure = true;
        return this._insert(added.id, id);
      }
      case "del":
        if (!cell) return false;
        this.cells.delete(id);
        this.order.splice(this.position(id), 1);
        this._positions = null;
        change.structure = true;
        return true;
      case "mv":
        if (!cell) return false;
        this.order.splice(this.position(id), 1);
        this._positions = null;
        change.structure = true;
        return this._insert(id, rest[0]);
      case "type":
        if (!cell) return false;
        [cell.type, cell.lang] = rest;
        change.mark(id, "type");
        return true;
      case "st":
        if (!cell) return false;
        [cell.st, cell.n, cell.ms, cell.why] = rest;
        this._stamp(cell);
        change.mark(id, "state");
        return true;
      case "old":
        if (!cell) return false;
        cell.old = rest[0];
        change.mark(id, "state");
        return true;
      case "outs":
      case "out+":
      case "out=":
      case "txt":
        return this._output(kind, cell, rest, change);
      case "who": {
        const old = this.people.get(id.id);
        this.people.set(id.id, { ...id, cell: old?.cell ?? null });
        this._place(this.people.get(id.id), id.cell, change);
        change.people = true;
        return true;
      }
      case "bye": {
        const person = this.people.get(id);
        if (person) this._place(person, null, change);
        this.people.delete(id);
        change.people = true;
        return true;
      }
      case "ker":
        this.kernel = id;
        change.status = true;
        return true;
      case "conn":
        this.connection = { state: id, detail: rest[0] };
        change.status = true;
        return true;
      case "role":
        this.role = id;
        change.status = true;
        return true;
      case "info":
        Object.assign(this.info, id);
        change.status = true;
        return true;
      default:
        return true; // a newer kernel's: better shown without it than not at all
    }
  }

  _entry({ cell: id, out, mime, value }, change) {
    const cell = this.cells.get(id);
    const outputs = cell?.outs ?? [];
    const index = outputs.findIndex((output) => output.id === out);
    if (index < 0) return;
    const { omit, ...old } = outputs[index];
    const rev = (old.rev ?? 0) + 1;
    if (mime === "") {
      outputs[index] = { ...old, text: value, cut: 0, whole: true, rev };
    } else {
      const { [mime]: _, ...left } = omit ?? {};
      outputs[index] = { ...old, omit: left, data: { ...old.data, [mime]: value }, rev };
    }
    change.mark(id, "outs");
  }

  _insert(id, after) {
    const at = after === null ? 0 : this.order.indexOf(after) + 1;
    this._positions = null;
    this.order.splice(at, 0, id);
    return after === null || at > 0;
  }

  _place(person, cell, change) {
    if (person.cell === cell) return;
    if (person.cell) change.mark(person.cell, "people");
    person.cell = cell;
    if (cell) change.mark(cell, "people");
    change.people = true;
  }

  _output(kind, cell, rest, change) {
    if (!cell) return false;
    change.mark(cell.id, "outs");
    if (kind === "outs") {
      cell.stale = null;
      cell.outs = rest[0];
      return true;
    }
    if (!cell.outs) return true; // they are loaded as a whole once they are seen
    if (kind === "out+") {
      cell.outs.push(rest[0]);
      return true;
    }
    const id = kind === "txt" ? rest[0] : rest[0].id;
    const index = cell.outs.findIndex((output) => output.id === id);
    if (index < 0) return false;
    const old = cell.outs[index];
    const rev = (old.rev ?? 0) + 1;
    if (kind === "out=") {
      cell.outs[index] = { ...rest[0], rev };
      return true;
    }
    old.text += rest[1];
    old.rev = rev;
    if (old.text.length > STREAM_LIMIT && !old.whole) {
      const tail = old.text.slice(-STREAM_TAIL);
      old.cut = (old.cut ?? 0) + old.text.length - STREAM_HEAD - STREAM_TAIL;
      old.text = old.text.slice(0, STREAM_HEAD) + tail;
    }
    return true;
  }
}
