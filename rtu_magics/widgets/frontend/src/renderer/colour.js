// Colours: is the page dark, can one be read on the other, and which one is a person's.

/** Parse `rgb(…)` or `rgba(…)` as getComputedStyle gives it; null for what is transparent. */
export function parseColour(text) {
  const found = /rgba?\(\s*([\d.]+)[\s,]+([\d.]+)[\s,]+([\d.]+)(?:[\s,/]+([\d.]+))?/.exec(text ?? "");
  if (!found || (found[4] !== undefined && Number(found[4]) < 0.5)) return null;
  return [Number(found[1]), Number(found[2]), Number(found[3])];
}

/** Relative luminance, WCAG 2. */
function luminance([r, g, b]) {
  const part = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
}

/** Contrast of two colours, 1 to 21, WCAG 2. */
export function contrast(one, other) {
  const [a, b] = [luminance(one), luminance(other)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}

/** Return a colour that can be read on a background: itself, or moved towards black or white. */
export function readable(colour, background, least = 4.6) {
  const towards = luminance(background) > 0.18 ? 0 : 255;
  for (let share = 0; share <= 1; share += 0.1) {
    const moved = colour.map((v) => Math.round(v + (towards - v) * share));
    if (contrast(moved, background) >= least) return moved;
  }
  return [towards, towards, towards];
}

/** Whether a page is dark where an element stands. */
export function isDark(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = parseColour(getComputedStyle(at).backgroundColor);
    if (colour) return luminance(colour) < 0.18;
  }
  return window.matchMedia?.("(prefers-color-scheme: dark)").matches ?? false;
}

// White text can be read on each (WCAG 2: 4.6 or more), and each is as far from those before it as it
// goes (OKLab: 0.09 or more between any two).
export const PEOPLE = [
  "#006996", "#e10000", "#b400ff", "#5a0000", "#0f0087", "#008700", "#3c0fff", "#780087", "#004b0f",
  "#875a1e", "#a55a96", "#960f3c", "#3c3c5a", "#694bc3", "#d200b4", "#4b004b", "#4b00b4", "#1e69ff",
  "#002d2d", "#2d694b", "#5a3c0f", "#784b69", "#c30f69", "#697878", "#004bc3", "#781eff", "#9600c3",
  "#0000c3", "#b44b4b", "#3c1e78", "#6969a5", "#5a3c87", "#a54bd2", "#69781e", "#691e3c", "#003c87",
];

/** Gives people colours, no two the same while there are enough of them. */
export class PeopleColours {
  constructor() {
    this._places = new Map(); // user id → index in PEOPLE
  }

  /** A person's colour; it stays theirs. */
  of(userId) {
    let place = this._places.get(userId);
    if (place === undefined) {
      place = this._free(userId);
      this._places.set(userId, place);
    }
    return PEOPLE[place];
  }

  _free(userId) {
    let sum = 0;
    for (const character of userId) sum = (sum * 31 + character.charCodeAt(0)) >>> 0;
    const taken = new Map(PEOPLE.map((_, index) => [index, 0]));
    for (const place of this._places.values()) taken.set(place, taken.get(place) + 1);
    const least = Math.min(...taken.values());
    // The one that this person has in other mirrors, too, unless somebody was here first.
    let place = sum % PEOPLE.length;
    while (taken.get(place) > least) place = (place + 1) % PEOPLE.length;
    return place;
  }
}
