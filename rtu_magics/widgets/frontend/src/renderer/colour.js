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

const PEOPLE = ["#a6260f", "#8a4b00", "#4d6300", "#00694f", "#00638f", "#3f51b5", "#7b3fa0", "#a1286a"];

/** A person's colour, the same everywhere; white text can be read on it. */
export function personColour(userId) {
  let sum = 0;
  for (const character of userId) sum = (sum * 31 + character.charCodeAt(0)) >>> 0;
  return PEOPLE[sum % PEOPLE.length];
}
