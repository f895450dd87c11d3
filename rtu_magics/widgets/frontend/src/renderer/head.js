// What stands above the cells of a mirror: which notebook it is, how it is, and who is there.

import { article } from "./doing.js";
import { h, textButton } from "./dom.js";

const KERNEL = new Map([
  ["idle", "kernel idle"],
  ["busy", "kernel busy"],
  ["starting", "kernel starting"],
  ["requested", "kernel starting"],
  ["restarting", "kernel restarting"],
  ["shutdown", "kernel stopped"],
  ["failed", "kernel failed"],
  ["culled", "kernel stopped"],
]);
const ROLES = ["owner", "contributor", "executor", "viewer"];
const CHIPS = 3; // people who are always seen; the rest is in the list

/** The others who are there: whom the reader follows, owners, and then by role and name. */
export function inOrder(store, following = null) {
  const rank = ({ id, role }) => (id === following ? -1 : ROLES.includes(role) ? ROLES.indexOf(role) : ROLES.length);
  return [...store.people.values()]
    .filter((person) => person.id !== store.info.me)
    .sort((a, b) => rank(a) - rank(b) || (a.name ?? "").localeCompare(b.name ?? ""));
}

const AGAIN = "%rtu_connect and %rtu_mirror show the notebook again.";

/**
 * The head of a mirror, in elements that stand below each other: `element`, the `list` of everybody
 * who is there, which is unfolded when the reader asks, and `banner`, which is there only if there is
 * something to say.
 */
export class Head {
  /**
   * @param {MirrorStore} store
   * @param {(user: string|null) => void} follow called when the reader wants to
   */
  constructor(store, follow) {
    this.store = store;
    this._follow = follow;
    this._said = "";
    this._title = h("span", { class: "rtu-title" });
    this._status = h("span", { class: "rtu-status" });
    this._people = h("div", { class: "rtu-people", role: "group", "aria-label": "People here" });
    this._count = h("button", {
      type: "button", class: "rtu-person-count", "aria-expanded": "false", on: { click: () => this._unfold(this.list.hidden) },
    });
    this.list = h("div", {
      class: "rtu-people-list", role: "group", "aria-label": "Everybody here", tabindex: "-1",
      on: { keydown: (event) => this._key(event) },
    });
    this.list.hidden = true;
    this.element = h("div", { class: "rtu-head" }, h("span", { class: "rtu-dot", "aria-hidden": "true" }),
      this._title, this._status, this._people, this._count);
    this.banner = h("div", { class: "rtu-banner", role: "status" });
    this.banner.hidden = true;
  }

  /** How the mirror is connected; "ended" when nothing feeds it any more. */
  get connection() {
    return this.store.alive ? this.store.connection.state : "ended";
  }

  drawStatus() {
    const { store, connection } = this;
    const { detail } = store.connection;
    const path = store.info.path ?? "";
    this._title.textContent = path.split("/").pop() || "remote notebook";
    this._title.title = path;
    const words = [connection === "live" || connection === "ended" ? connection : `${connection} …`];
    words.push(store.kernel ? (KERNEL.get(store.kernel.state) ?? `kernel ${store.kernel.state}`) : "no kernel");
    if (store.role && store.role !== "owner") words.push(`you are ${article(store.role)} here`);
    this._status.textContent = words.join(" · ");
    this._status.title = detail ?? "";
    if (connection === "ended") this._say(`This mirror has ended: the kernel that fed it was restarted or is gone. ${AGAIN}`);
    else if (connection === "closed") this._say(`This mirror has ended${detail ? `: ${detail}` : ""}. ${AGAIN}`);
    else if (connection === "reconnecting") this._say("The connection is lost; reconnecting …");
    else if (this._said) {
      this.banner.hidden = true;
      this._said = "";
    }
  }

  _say(text) {
    if (this._said === text) return;
    this._said = text;
    this.banner.hidden = false;
    this.banner.classList.remove("rtu-bad");
    this.banner.textContent = text;
  }

  /**
   * Draw who else is there: a few of them, and how many.
   *
   * @param {string|null} following whom the reader follows
   */
  drawPeople(following) {
    const { store } = this;
    const others = inOrder(store, following);
    this._people.hidden = this._count.hidden = !others.length;
    this._people.replaceChildren(...others.slice(0, CHIPS).map((person) => this._chip(person, following === person.id)));
    this._count.textContent = `${others.length} ${others.length === 1 ? "other" : "others"}`;
    this._count.title = "Show everybody who is here";
    this._others = others;
    this._following = following;
    if (!others.length) this._unfold(false);
    else if (!this.list.hidden) this._drawList();
  }

  _unfold(open) {
    this.list.hidden = !open;
    this._count.setAttribute("aria-expanded", String(open));
    if (open) this._drawList();
    else this.list.replaceChildren();
  }

  _drawList() {
    const focused = document.activeElement?.closest?.(".rtu-people-list [data-user]")?.dataset.user;
    const rows = this._others.map((person) => {
      const row = this._chip(person, this._following === person.id);
      const place = person.cell ? this.store.position(person.cell) + 1 : 0;
      row.dataset.user = person.id;
      row.className += " rtu-person-row";
      row.append(h("span", { class: "rtu-person-more", text: [person.role, place && `cell ${place}`].filter(Boolean).join(", ") }));
      return row;
    });
    this.list.replaceChildren(...rows);
    if (focused) rows.find((row) => row.dataset.user === focused)?.focus();
  }

  _key(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    this._unfold(false);
    this._count.focus();
  }

  _chip(person, followed) {
    const { store } = this;
    const place = person.cell ? store.position(person.cell) + 1 : 0;
    const name = person.name || "somebody";
    const where = place ? `, in cell ${place}` : "";
    const chip = h("button", {
      type: "button", class: `rtu-person${followed ? " rtu-followed" : ""}`,
      "aria-pressed": String(followed), title: `${followed ? "Stop following" : "Follow"} ${name}${person.role ? ` (${person.role})` : ""}${where}`,
      on: { click: () => this._follow(followed ? null : person.id) },
    }, h("span", { class: "rtu-person-name", text: followed ? `⤓ ${name}` : name }));
    chip.style.setProperty("--rtu-person", store.colours.of(person.id));
    return chip;
  }

  /** Offer a text that has no cell any more. */
  offerLost(copy) {
    this.banner.hidden = false;
    this.banner.classList.add("rtu-bad");
    this.banner.replaceChildren(
      "The cell that you were editing was deleted. ",
      textButton("Copy your text", copy),
      " ",
      textButton("Close", () => { this.banner.hidden = true; }),
    );
  }
}
