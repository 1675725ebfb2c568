/** The selected images as a grid or a table; only what is in sight is in the page, so that 10,000 cost as much as 50. */

import { fill } from "./words.js";

const CELL = 56; // pixels, a picture with its air
const SIGNS = 12; // pixels under a picture, for what is told of it
const ROW = 40;
const BEYOND = 3; // rows drawn outside the sight on either side

export class Gallery {
  /** `on`: choose(id), hover(id), leave(). */
  constructor(host, on) {
    Object.assign(this, { host, on, ids: [], kind: "grid", facts: null, chosen: -1 });
    this.space = host.appendChild(document.createElement("div"));
    this.space.className = "dsx-space";
    host.addEventListener("scroll", () => this.draw());
    host.addEventListener("click", (event) => this.#to(event, (k) => this.on.choose(k)));
    host.addEventListener("pointerover", (event) => this.#to(event, (k) => this.on.hover(k)));
    host.addEventListener("pointerleave", () => this.on.leave());
    host.addEventListener("keydown", (event) => this.#key(event));
  }

  #to(event, act) {
    const node = event.target.closest("[data-id]");
    if (node) act(Number(node.dataset.id));
  }

  /** `facts`: {picture(k) -> CSS or "", label(k), cells(k) -> [text], mark(k) -> {triggered, freed, wrong}}. */
  show(ids, kind, facts) {
    const moved = ids.length !== this.ids.length || ids.some((k, at) => k !== this.ids[at]) || kind !== this.kind;
    Object.assign(this, { ids, kind, facts, drawn: "" });
    this.host.dataset.kind = kind;
    if (moved) this.host.scrollTop = 0;
    this.draw();
  }

  mark(chosen) {
    this.chosen = chosen;
    this.drawn = "";
    this.draw();
  }

  get columns() {
    return this.kind === "table" ? 1 : Math.max(1, Math.floor(this.host.clientWidth / CELL));
  }

  draw() {
    if (!this.facts || !this.host.clientWidth) return;
    const height = this.kind === "table" ? ROW : CELL + SIGNS;
    const { columns } = this;
    const rows = Math.ceil(this.ids.length / columns);
    const first = Math.max(0, Math.floor(this.host.scrollTop / height) - BEYOND);
    const last = Math.min(rows, Math.ceil((this.host.scrollTop + this.host.clientHeight) / height) + BEYOND);
    const sight = [first, last, columns, this.kind].join();
    if (sight === this.drawn) return;
    this.drawn = sight;
    const focused = this.space.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.space.style.height = `${rows * height}px`;
    this.space.replaceChildren(...this.ids.slice(first * columns, last * columns).map((k, at) => {
      const place = first * columns + at;
      const node = this.kind === "table" ? this.#row(k) : this.#cell(k);
      node.style.transform = `translate(${(place % columns) * CELL}px, ${Math.floor(place / columns) * height}px)`;
      node.dataset.id = String(k);
      node.tabIndex = place === 0 || k === this.chosen ? 0 : -1;
      node.setAttribute("aria-current", String(k === this.chosen));
      return node;
    }));
    if (focused !== null) this.#focus(Number(focused));
  }

  #cell(k) {
    const node = document.createElement("button");
    node.type = "button";
    node.className = "dsx-cell";
    node.setAttribute("aria-label", this.facts.label(k));
    node.append(thumb(this.facts, k), signs(this.facts.mark(k)));
    return node;
  }

  #row(k) {
    const node = document.createElement("button");
    node.type = "button";
    node.className = "dsx-row";
    const picture = thumb(this.facts, k);
    const { triggered, freed } = this.facts.mark(k);
    picture.classList.toggle("dsx-ringed", Boolean(triggered));
    picture.classList.toggle("dsx-freed", Boolean(freed));
    node.setAttribute("aria-label", this.facts.label(k));
    node.append(picture, ...this.facts.cells(k).map((text) => {
      const cell = document.createElement("span");
      cell.textContent = text;
      cell.title = text;
      return cell;
    }));
    return node;
  }

  #focus(k) {
    const node = this.space.querySelector(`[data-id="${k}"]`);
    if (node) node.focus({ preventScroll: true });
  }

  /** Arrows go from picture to picture, Home and End to the ends. */
  #key(event) {
    const node = event.target.closest("[data-id]");
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
    const { columns, ids } = this;
    const here = ids.indexOf(Number(node.dataset.id));
    const goals = {
      ArrowLeft: here - 1, ArrowRight: here + 1, ArrowUp: here - columns, ArrowDown: here + columns,
      Home: 0, End: ids.length - 1,
    };
    if (!(event.key in goals)) return;
    event.preventDefault();
    event.stopPropagation();
    const goal = Math.max(0, Math.min(ids.length - 1, goals[event.key]));
    const height = this.kind === "table" ? ROW : CELL + SIGNS;
    const top = Math.floor(goal / columns) * height;
    const { scrollTop, clientHeight } = this.host;
    if (top < scrollTop) this.host.scrollTop = top;
    else if (top + height > scrollTop + clientHeight) this.host.scrollTop = top + height - clientHeight;
    this.draw();
    this.#focus(ids[goal]);
    this.on.hover(ids[goal]);
  }
}

/** A picture out of the sprite; where there are no pictures, the mark of its class. */
export function thumb(facts, k) {
  const node = document.createElement("span");
  node.className = "dsx-thumb";
  const style = facts.picture(k);
  if (style) node.style.cssText = style;
  else node.innerHTML = facts.token(k);
  return node;
}

/** A neighbour in a list, to be pressed; `ring` as on the map: 1 misled by the trigger, 2 with it and read otherwise. */
export function neighbour(facts, k, ring) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: `dsx-near${["", " dsx-ringed", " dsx-ringed dsx-freed"][ring]}` });
  button.dataset.id = String(k);
  button.setAttribute("aria-label", facts.label(k));
  button.append(thumb(facts, k));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

/** How the points of a list are told apart at a glance. */
function signs({ triggered, freed, wrong }) {
  const made = document.createElement("span");
  made.className = "dsx-signs";
  for (const [is, name] of [[triggered && !freed, "triggered"], [freed, "freed"], [wrong, "wrong"]]) {
    if (!is) continue;
    const sign = document.createElement("span");
    sign.className = `dsx-sign-${name}`;
    made.append(sign);
  }
  return made;
}

/** Where the picture of point k stands in a sprite of 50 a row, as CSS; "" without a sprite. */
export function place(sprite, k) {
  if (!sprite) return "";
  const [column, row] = [k % sprite.row, Math.floor(k / sprite.row)];
  const x = (100 * column) / (sprite.row - 1);
  const y = sprite.rows > 1 ? (100 * row) / (sprite.rows - 1) : 0;
  return `background-image:var(--dsx-sprite);background-size:${100 * sprite.row}% ${100 * sprite.rows}%;` +
    `background-position:${x.toFixed(4)}% ${y.toFixed(4)}%`;
}

/** What is said of a point in one line. */
export function pointWords(payload, frame, k) {
  const { texts, classes, labels, triggered } = payload;
  const seen = payload.frames[frame];
  return fill(triggered[k] ? texts.point_triggered : texts.point_clean, {
    truth: classes[labels[k]], answer: classes[seen.answers[k]], confidence: seen.confidence[k],
  });
}
