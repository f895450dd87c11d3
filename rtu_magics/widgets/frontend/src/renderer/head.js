// What stands above the cells of a mirror: which notebook it is, how it is, and who is there.

import { personColour } from "./colour.js";
import { article } from "./doing.js";
import { h, textButton } from "./dom.js";

const KERNEL = {
  idle: "kernel idle", busy: "kernel busy", starting: "kernel starting", requested: "kernel starting",
  restarting: "kernel restarting", shutdown: "kernel stopped", failed: "kernel failed", culled: "kernel stopped",
};
const AGAIN = "%rtu_connect and %rtu_mirror show the notebook again.";

/**
 * The head of a mirror, in two elements that stand below each other: `element` and `banner`, which
 * is there only if there is something to say.
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
    this.element = h("div", { class: "rtu-head" }, h("span", { class: "rtu-dot", "aria-hidden": "true" }),
      this._title, this._status, this._people);
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
    words.push(store.kernel ? (KERNEL[store.kernel.state] ?? `kernel ${store.kernel.state}`) : "no kernel");
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
   * Draw who else is there.
   *
   * @param {string|null} following whom the reader follows
   */
  drawPeople(following) {
    const { store } = this;
    const others = [...store.people.values()].filter((person) => person.id !== store.info.me);
    this._people.hidden = !others.length;
    this._people.replaceChildren(
      ...others.map((person) => {
        const followed = following === person.id;
        const place = person.cell ? store.position(person.cell) + 1 : 0;
        const name = person.name || "somebody";
        const where = place ? `, in cell ${place}` : "";
        const chip = h("button", {
          type: "button", class: `rtu-person${followed ? " rtu-followed" : ""}`, text: followed ? `⤓ ${name}` : name,
          "aria-pressed": String(followed), title: `${followed ? "Stop following" : "Follow"} ${name}${person.role ? ` (${person.role})` : ""}${where}`,
          on: { click: () => this._follow(followed ? null : person.id) },
        });
        chip.style.backgroundColor = personColour(person.id);
        return chip;
      }),
    );
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
