/** One chosen image: what it is, what it is taken for before and after, its neighbours, and where the model looks. */

import { neighbour, place, thumb } from "./gallery.js";
import { explain } from "./terms.js";
import { figure, fill } from "./words.js";

const HEAT = [0, 114, 178]; // no class and no attack: how strongly a pixel counts is told by how opaque it is

export class Detail {
  /** `el`: nodes by name; `on`: choose(id), hover(id), leave(), ask(order), select(ids). */
  constructor(el, on) {
    Object.assign(this, { el, on });
    for (const name of ["near-before", "near-after", "detail-pair"]) {
      el[name].addEventListener("click", (event) => this.#to(event, (k) => this.on.choose(k)));
      el[name].addEventListener("pointerover", (event) => this.#to(event, (k) => this.on.hover(k)));
      el[name].addEventListener("pointerleave", () => this.on.leave());
    }
    el["saliency-ask"].addEventListener("click", () => this.on.ask({ kind: "saliency", id: this.k }));
    el["own-ask"].addEventListener("click", () => this.on.ask({ kind: "place", id: this.k }));
    el["near-select"].addEventListener("click", () => this.on.select([this.k, ...this.linked]));
  }

  #to(event, act) {
    const node = event.target.closest("[data-id]");
    if (node) act(Number(node.dataset.id));
  }

  /** Neighbours of the chosen point in both models, without doubles. */
  get linked() {
    return this.room && this.k >= 0 ? [...new Set(this.room.payload.whens.flatMap((when) => this.room.neighbours(this.k, when)))] : [];
  }

  show(room, k, facts) {
    Object.assign(this, { room, k, facts });
    const { el } = this;
    const { texts } = room.payload;
    el.detail.dataset.chosen = String(k);
    el["detail-empty"].hidden = k >= 0;
    el["detail-full"].hidden = k < 0;
    if (k < 0) return;
    el["detail-title"].textContent = fill(texts.detail_title, { k, name: room.payload.classes[room.payload.labels[k]] });
    const { payload } = room;
    el["own-ask"].hidden = !payload.able;
    el["own-ask"].disabled = payload.jobs.some((job) => job.kind === "place" && !job.fault);
    this.#pair();
    this.#scores();
    this.#near();
    this.#saliency();
  }

  /** The image without and with the trigger, and the answers before and after to each. */
  #pair() {
    const { room, el, facts } = this;
    const { payload } = room;
    const { texts, classes } = payload;
    el["detail-pair"].replaceChildren(...room.pair(this.k).map((k, at) => {
      const item = document.createElement("li");
      if (k < 0) return item;
      const name = texts[at ? "with_trigger" : "without_trigger"];
      item.innerHTML = `<button type="button" class="dsx-big" data-id="${k}"></button><div><b></b><p></p></div>`;
      const button = item.firstChild;
      button.append(thumb(facts, k));
      button.setAttribute("aria-label", facts.label(k));
      button.setAttribute("aria-current", String(k === this.k));
      item.querySelector("b").textContent = name;
      const said = (frame) => fill(texts.answer_sure, { answer: classes[room.answer(k, frame)], confidence: room.confidence(k, frame) });
      const lines = room.last > 0 ? [[texts.before, 0], [texts.after, room.last]] : [[texts.before, 0]];
      item.querySelector("p").replaceChildren(...lines.map(([when, frame]) => {
        const line = document.createElement("span");
        line.textContent = `${when}: ${said(frame)}`;
        line.dataset.right = String(room.answer(k, frame) === payload.labels[k]);
        return line;
      }));
      return item;
    }));
  }

  #scores() {
    const { room, k, el } = this;
    const { texts, terms, whens, methods } = room.payload;
    el["detail-scores"].replaceChildren(...Object.keys(methods).flatMap((method) => {
      const known = whens.map((when) => [when, room.score(k, method, when)]).filter(([, score]) => score !== null);
      if (!known.length) return [];
      const line = document.createElement("li");
      explain(line, `[${texts[`colour_${method}`]}](${methods[method]}): ${known.map(([when, score]) => `${texts[when]} ${figure(score, 2)}`).join(" · ")}`, terms);
      return [line];
    }));
  }

  #near() {
    const { room, k, el, facts } = this;
    const { payload } = room;
    const { texts } = payload;
    el["near-select"].hidden = !payload.near;
    el["near-missing"].textContent = payload.near ? "" : payload.missing.features || texts.near_wait;
    for (const when of ["before", "after"]) {
      const ids = room.neighbours(k, when);
      el[`near-${when}`].hidden = el[`near-${when}-words`].hidden = !ids.length;
      if (!ids.length) continue;
      const triggered = ids.filter((j) => payload.triggered[j]).length;
      const home = ids.filter((j) => payload.labels[j] === payload.labels[k]).length;
      el[`near-${when}-words`].textContent = fill(texts.near_words, { when: texts[when], all: ids.length, triggered, home });
      const rings = room.ringsOf(when);
      el[`near-${when}`].replaceChildren(...ids.map((j) => neighbour(facts, j, rings[j])));
    }
    el["near-after-none"].hidden = !payload.near || payload.whens.includes("after");
    el["near-after-none"].textContent = payload.missing.after || "";
  }

  #saliency() {
    const { room, k, el } = this;
    const { payload } = room;
    const { texts, saliency } = payload;
    const mine = saliency && room.pair(k).includes(saliency.id);
    const busy = payload.jobs.find((job) => job.kind === "saliency");
    el["saliency-ask"].hidden = mine || !payload.able;
    el["saliency-ask"].disabled = Boolean(busy);
    el["saliency-ask"].textContent = busy ? busy.words : texts.saliency_ask;
    el["saliency-missing"].textContent = payload.able ? "" : payload.missing.features || texts.near_wait;
    el["saliency-maps"].hidden = el["saliency-note"].hidden = !mine;
    if (!mine) return;
    el["saliency-maps"].replaceChildren(...saliency.shown.map(({ when, variant }, at) => {
      const node = document.createElement("figure");
      const words = fill(texts.saliency_words, { when: texts[when], variant: texts[`${variant}_trigger`] });
      node.append(drawn(payload, at), Object.assign(document.createElement("figcaption"), { textContent: words }));
      return node;
    }));
  }
}

/** The image in grey, and on it in blue what the answer hangs on. */
function drawn(payload, at) {
  const { height, width, shown } = payload.saliency;
  const size = height * width;
  const heat = payload.salHeat.subarray(at * size, (at + 1) * size);
  const pixels = payload.salPixels.subarray(shown[at].picture * size * 3, (shown[at].picture + 1) * size * 3);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let p = 0; p < size; p++) {
    const grey = 90 + 0.6 * (0.299 * pixels[3 * p] + 0.587 * pixels[3 * p + 1] + 0.114 * pixels[3 * p + 2]);
    const share = heat[p] / 255;
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = grey + (HEAT[c] - grey) * share;
    image.data[4 * p + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** How pictures and words of single points are made, for gallery and detail alike. */
export function factsOf(room, frame, sprite, token, label) {
  const { payload } = room;
  const when = room.when(frame);
  const score = (k, method) => {
    const value = room.score(k, method, when);
    return value === null ? "–" : figure(value, 2);
  };
  const rings = room.rings(frame);
  return {
    picture: (k) => place(sprite, k),
    token,
    label,
    mark: (k) => ({
      triggered: payload.triggered[k], freed: rings[k] === 2, wrong: room.answer(k, frame) !== payload.labels[k],
    }),
    cells: (k) => [
      String(k), payload.classes[payload.labels[k]], payload.classes[room.answer(k, frame)], `${room.confidence(k, frame)}`,
      ...Object.keys(payload.methods).map((method) => score(k, method)),
    ],
  };
}
