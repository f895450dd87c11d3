// Making elements. Text from the other side only ever comes in as text, see `sanitise.js` for HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] `class`, `text`, `on` (listeners by event), or
 *   attributes; null and false leave one out
 * @param {...(Node|string)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "on") {
      for (const [event, fn] of Object.entries(value)) element.addEventListener(event, fn);
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

const ICONS = {
  run: "M4.5 2.8v10.4L13 8z",
  edit: "M11.3 2.2l2.5 2.5-8.2 8.2-3.2.7.7-3.2zM10 3.5l2.5 2.5",
  pull: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8zM4.8 8.2h3.4M4.8 10.8h3.4", // a sheet copied off another
};

/** Make an icon, which says nothing to a screen reader: its button has a label. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `rtu-icon rtu-icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Make a button with an icon. */
export function iconButton(name, label, onClick) {
  const on = { click: onClick };
  return h("button", { type: "button", class: "rtu-button", "aria-label": label, title: label, on }, icon(name));
}

/** Make a button with a text. */
export function textButton(text, onClick, kind = "") {
  return h("button", { type: "button", class: `rtu-text-button ${kind}`, text, on: { click: onClick } });
}

/** Make a note about what is not shown, with a button to see it. */
export function note(text, action, onClick) {
  const element = h("div", { class: "rtu-note" }, h("span", { text }));
  if (action) element.append(" ", textButton(action, onClick));
  return element;
}
