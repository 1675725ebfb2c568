/** Classes with their marks and counts; a press selects a class. The search narrows them down. */

import { scale } from "./room.js";
import { outline } from "./shapes.js";
import { explain } from "./terms.js";
import { fill } from "./words.js";

export class Legend {
  /** `parts`: search, list, scale, empty; `on`: pick(class, how), light(): the search found others. */
  constructor(parts, on) {
    Object.assign(this, { parts, on });
    parts.list.addEventListener("click", (event) => this.#press(event));
    parts.search.addEventListener("input", () => (this.search(), this.on.light()));
    parts.search.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter") return;
      const found = [...parts.list.children].filter((node) => !node.hidden);
      found.forEach((node, at) => this.on.pick(Number(node.firstChild.dataset.class), at ? "add" : "replace"));
    });
  }

  #press(event) {
    const chip = event.target.closest("[data-class]");
    if (!chip) return;
    const whole = chip.getAttribute("aria-pressed") === "true";
    const how = event.shiftKey || event.ctrlKey || event.metaKey ? (whole ? "remove" : "add") : "replace";
    this.on.pick(Number(chip.dataset.class), how, whole);
  }

  fill(payload) {
    const { list } = this.parts;
    list.replaceChildren(...payload.classes.map((name, k) => {
      const item = document.createElement("li");
      const [colour, shape] = payload.marks[k];
      item.innerHTML = `<button type="button" class="dsx-chip" data-class="${k}" data-testid="legend-chip">${mark(colour, shape)}<span></span><b></b></button>`;
      item.querySelector("span").textContent = name;
      return item;
    }));
    this.parts.search.hidden = payload.classes.length < 6;
    this.search();
  }

  /** Counts as "47 / 412"; a class that is selected whole is pressed. */
  count({ all, picked }, total, texts) {
    [...this.parts.list.children].forEach((item, k) => {
      const chip = item.firstChild;
      chip.querySelector("b").textContent = total ? `${picked[k]} / ${all[k]}` : String(all[k]);
      chip.setAttribute("aria-pressed", String(all[k] > 0 && picked[k] === all[k]));
      chip.setAttribute("aria-label", fill(texts.class_label, { name: chip.querySelector("span").textContent, count: picked[k], all: all[k] }));
      chip.disabled = !all[k];
    });
  }

  /** The classes that are searched for, a Set; null where none is. */
  get found() {
    if (!this.parts.search.value.trim()) return null;
    return new Set([...this.parts.list.children].filter((item) => !item.hidden).map((item) => Number(item.firstChild.dataset.class)));
  }

  search() {
    const wanted = this.parts.search.value.trim().toLowerCase();
    let found = 0;
    for (const item of this.parts.list.children) {
      item.hidden = !item.querySelector("span").textContent.toLowerCase().includes(wanted);
      found += !item.hidden;
    }
    this.parts.empty.hidden = found > 0;
  }

  /** The scale of a colouring by figures; none for one by class. */
  scale(mode, words, terms) {
    const node = this.parts.scale;
    node.hidden = mode === "true" || mode === "answer";
    if (node.hidden) return;
    node.querySelector("i").style.background = `linear-gradient(to right, ${scale(mode).join(",")})`;
    const [low, high, note] = words;
    node.querySelector("[data-end=low]").textContent = low;
    node.querySelector("[data-end=high]").textContent = high;
    explain(node.querySelector("p"), note, terms);
  }
}

/** A class's mark as a small picture. */
export function mark(colour, shape) {
  return `<svg class="dsx-mark" viewBox="-6 -6 12 12" aria-hidden="true"><path d="${outline(shape, 4.6)}" fill="${colour}"/></svg>`;
}
