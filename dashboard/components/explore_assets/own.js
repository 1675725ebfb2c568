/** A picture of the visitor's own, placed on a settled map: where it lies, what the models say of it, what is nearest. */

import { neighbour } from "./gallery.js";
import { guestsOf, stateOf } from "./guests.js";
import { fill } from "./words.js";

const VARIANTS = ["without", "with"]; // the trigger

export class Own {
  /** `el`: nodes by name; `on`: choose(id), hover(id), leave(), show(map id), changed(). */
  constructor(el, on) {
    Object.assign(this, { el, on, own: null, pictures: [] });
    el["own-trigger"].addEventListener("change", () => on.changed());
    el["own-close"].addEventListener("click", () => {
      this.closed = this.own.id;
      this.own = null;
      on.changed();
    });
    el["own-show"].addEventListener("click", () => on.show(this.own.map));
    for (const [name, act] of [["click", on.choose], ["pointerover", on.hover]]) {
      el["own-near"].addEventListener(name, (event) => {
        const node = event.target.closest("[data-id]");
        if (node) act(Number(node.dataset.id));
      });
    }
    el["own-near"].addEventListener("pointerleave", () => on.leave());
  }

  /** Takes what came; true where it is another picture than before. */
  take({ own: given, ownPixels }) {
    const own = given && given.id !== this.closed ? given : null;
    const fresh = Boolean(own) && (!this.own || this.own.id !== own.id);
    if (fresh) {
      const size = own.height * own.width;
      this.pictures = VARIANTS.slice(0, own.variants).map((_, at) => pictured(ownPixels.subarray(3 * at * size, 3 * (at + 1) * size), own));
    }
    this.own = own;
    return fresh;
  }

  get variant() {
    return this.el["own-trigger"].checked ? 1 : 0;
  }

  /** The marks of a map at a stop, for PointMap.guests: the picture without the trigger, and the one with it. */
  guests(map, position, theme, target) {
    return guestsOf(this.own, map, position, this.variant, target).map(({ places, state }, at) => ({
      places, picture: this.pictures[at], colour: { plain: theme.text, misled: theme.attack, freed: theme.freed }[state],
    }));
  }

  /** The card beside the maps. */
  show(room, map, facts) {
    const { el, own, variant } = this;
    const { payload } = room;
    el.own.hidden = !own;
    if (!own) return;
    const { texts, target } = payload;
    el.own.dataset.id = own.id;
    el["own-title"].textContent = own.title;
    const elsewhere = own.map !== map.id;
    el["own-elsewhere"].hidden = !elsewhere;
    el["own-after-none"].textContent = own.models > 1 ? "" : payload.missing.after || "";
    el["own-pair"].replaceChildren(...this.pictures.map((picture, at) => {
      const item = document.createElement("li");
      item.hidden = at > variant;
      item.innerHTML = `<div class="dsx-big"></div><div><b></b><p></p></div>`;
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", `${own.title}, ${texts[`${VARIANTS[at]}_trigger`]}`);
      item.firstChild.append(picture);
      item.querySelector("b").textContent = texts[`${VARIANTS[at]}_trigger`];
      item.querySelector("p").replaceChildren(...own.answers.map((answers, model) => {
        const line = document.createElement("span");
        const said = fill(texts.answer_sure, { answer: payload.classes[answers[at]], confidence: own.confidence[model][at] });
        line.textContent = `${texts[["before", "after"][model]]}: ${said}`;
        line.dataset.right = String(stateOf(own, model, at, target) !== "misled");
        return line;
      }));
      return item;
    }));
    el["own-near"].replaceChildren(...own.near.flatMap((near, model) => this.#near(room, near[variant], ["before", "after"][model], facts)));
  }

  /** The nearest points in one model: what they are in a sentence, and their pictures. */
  #near(room, ids, when, facts) {
    const { texts, classes, labels, triggered } = room.payload;
    const rings = room.ringsOf(when);
    const counts = new Map();
    for (const k of ids) counts.set(labels[k], (counts.get(labels[k]) || 0) + 1);
    const [most, count] = [...counts].sort((a, b) => b[1] - a[1])[0];
    const words = document.createElement("p");
    words.className = "dsx-quiet";
    words.textContent = fill(texts.own_near, { when: texts[when], variant: texts[`${VARIANTS[this.variant]}_trigger`], all: ids.length, triggered: ids.filter((k) => triggered[k]).length, name: classes[most], count });
    const list = document.createElement("ul");
    list.className = "dsx-nears";
    list.dataset.testid = `explore-own-near-${when}`;
    list.append(...ids.map((k) => neighbour(facts, k, rings[k])));
    return [words, list];
  }
}

function pictured(pixels, { height, width }) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const image = canvas.getContext("2d").createImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = pixels[3 * p + c];
    image.data[4 * p + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
