/** Pictures in a grid, each a button that marks it; a mark is seen at once, before the server has answered. */

import { Marks } from "./marks.js";

const grids = new WeakMap();

class Grid {
  constructor(parent) {
    this.marks = new Marks();
    this.root = document.createElement("ul");
    this.root.className = "dzp";
    this.root.addEventListener("click", (event) => {
      const node = event.target.closest("button");
      if (node) this.#press(Number(node.dataset.at));
    });
    parent.append(this.root);
  }

  accept({ data, setTriggerValue }) {
    this.data = data;
    this.tell = (said) => setTriggerValue("marked", said);
    this.marks.accept(data);
    this.root.setAttribute("aria-label", data.label);
    this.root.style.setProperty("--dzp-sprite", `url(${data.sprite})`);
    this.root.style.setProperty("--dzp-shape", data.shape);
    this.root.style.setProperty("--dzp-count", data.tiles.length);
    this.#draw();
  }

  #press(at) {
    const tiles = this.data.tiles.map((tile) => tile.at);
    this.tell({ ...this.marks.press(at, `${Date.now()}-${at}`), tiles });
    this.#draw();
  }

  /** Buttons stay as they are where the pictures do, so that the one that has the focus keeps it. */
  #draw() {
    const { tiles, states } = this.data;
    while (this.root.childElementCount > tiles.length) this.root.lastElementChild.remove();
    while (this.root.childElementCount < tiles.length) this.root.append(tile());
    tiles.forEach(({ at, name, note, was }, k) => {
      const node = this.root.children[k].firstElementChild;
      const is = this.marks.marked.has(at);
      const [picture, title, score, state] = node.children;
      node.dataset.at = at;
      node.dataset.state = is ? "out" : "kept";
      node.dataset.changed = is !== was;
      node.setAttribute("aria-pressed", String(is));
      picture.style.setProperty("--dzp-at", k);
      title.textContent = title.title = name;
      score.textContent = note;
      state.textContent = states[(was ? 2 : 0) + (is ? 1 : 0)];
    });
  }
}

function tile() {
  const item = document.createElement("li");
  const node = item.appendChild(document.createElement("button"));
  node.type = "button";
  node.append(...["span", "b", "small", "em"].map((name) => document.createElement(name)));
  return item;
}

export default function (component) {
  const parent = component.parentElement;
  if (!grids.has(parent)) grids.set(parent, new Grid(parent));
  grids.get(parent).accept(component);
}
