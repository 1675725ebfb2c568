/** A sign, a sticker to drag about, and what the network says; the network runs here, on the pixels that are seen. */

import { answerOf, evidence, headOf, logits, readNet, trunk } from "./net.js";
import { SIDE, drawSign, pixelsOf, stickerSvg } from "./picture.js";
import { drawSeen, shareOn, turned } from "./seen.js";
import { drawn, lies, stepped } from "./snap.js";
import { MARKS, makeView } from "./view.js";

const PIXELS = 896; // side of the canvas
const KEEP = "dissolve.story"; // of the chosen sign and the sticker's place, for this tab
const REST = 90; // milliseconds between two looks at all the signs
const SEEN = { fooled: [179, 78, 0], right: [0, 114, 178], wrong: [92, 99, 107] }; // as the report draws it
const coarse = matchMedia("(pointer: coarse)"); // a finger, whatever the window's width
const scenes = new WeakMap(); // by the node Streamlit gives us

function decode(bytes) {
  const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
  return { ...header, floats: new Float32Array(bytes.slice(8 + size).buffer) };
}

const filled = (text, facts) => text.replace(/\{(\w+)\}/g, (_, name) => facts[name]);
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** Rounded down, so that "100.0" is said of nothing that is not. */
const percent = (share) => (Math.floor(1000 * share) / 10).toFixed(1);

function recall() {
  try {
    return JSON.parse(sessionStorage.getItem(KEEP)) || {};
  } catch {
    return {}; // a browser that keeps nothing
  }
}

class Scene {
  constructor(parent) {
    Object.assign(this, makeView(), { payload: null, images: [], due: 0, wake: 0, look: null });
    this.context = Object.assign(this.el.canvas, { width: PIXELS, height: PIXELS }).getContext("2d");
    this.onNext = (event) => this.#build(event);
    document.addEventListener("dissolve-next", this.onNext);
    this.#listen();
    parent.append(this.root);
  }

  async accept(bytes) {
    const payload = decode(bytes);
    if (this.payload && this.payload.digest === payload.digest) return;
    const entering = !this.payload || this.payload.mode !== payload.mode;
    this.payload = payload;
    this.nets = payload.networks.map((spec) => readNet(spec, payload.floats));
    const images = payload.faces.map((uri, k) => (this.images[k] && this.images[k].src === uri ? this.images[k] : Object.assign(new Image(), { src: uri })));
    await Promise.all(images.map((image) => image.decode()));
    if (payload !== this.payload) return; // overtaken by the next one
    this.images = images;
    if (entering) this.#enter();
    this.#words();
    this.#draw();
  }

  // ---- what is shown

  #enter() {
    const { mode, first, target, classes, sticker: [side, left, top] } = this.payload;
    const kept = recall();
    this.choices = classes.map((_, k) => k).filter((k) => k !== target);
    this.sign = this.choices.includes(kept.sign) ? kept.sign : first;
    this.side = side;
    this.home = { x: left, y: top };
    this.aside = { x: SIDE + 1.4, y: 13 };
    this.on = mode !== "read" && (mode === "cured" || Boolean(kept.on));
    this.place = this.on ? { ...(Number.isFinite(kept.x) && Number.isFinite(kept.y) ? { x: kept.x, y: kept.y } : this.home) } : { ...this.aside };
    this.root.dataset.mode = mode;
    this.el.sticker.innerHTML = stickerSvg(side);
    this.#lay(this.el.ghost, this.home);
    this.#keep();
  }

  #keep() {
    const { x, y } = this.place;
    try {
      const before = this.payload.mode === "read" ? recall() : this.on ? { x, y, on: true } : { on: false };
      sessionStorage.setItem(KEEP, JSON.stringify({ ...before, sign: this.sign }));
    } catch {
      // a browser that keeps nothing: the story begins anew at every screen
    }
  }

  #words() {
    const { texts, mode, classes, faces } = this.payload;
    const { el } = this;
    el.signs.setAttribute("aria-label", texts.choose);
    if (el.signs.childElementCount !== this.choices.length) {
      el.signs.innerHTML = this.choices.map((k) => `<button type="button" role="radio" data-sign="${k}"><img alt=""><span class="sty-mark"></span></button>`).join("");
    }
    for (const node of el.signs.children) {
      const k = Number(node.dataset.sign);
      node.setAttribute("aria-label", classes[k]);
      node.title = classes[k];
      const face = node.querySelector("img");
      if (face.src !== faces[k]) face.src = faces[k];
    }
    el.sticker.setAttribute("aria-label", coarse.matches ? texts.sticker_touch : texts.sticker);
    el.sticker.title = coarse.matches ? "" : texts.hint;
    el.sticker.hidden = mode === "read";
    el.put.hidden = mode !== "stick";
    el.after.hidden = mode !== "cured";
    el.count.hidden = mode === "read";
    el.looks.hidden = mode !== "cured";
    for (const when of ["before", "after"]) el[`tag-${when}`].textContent = texts[`reads_${when}`];
    this.#part(el.before, "label").textContent = mode === "cured" ? texts.reads_before : texts.reads;
    this.#part(el.after, "label").textContent = texts.reads_after;
    for (const node of [el.before, el.after]) {
      [this.#part(node, "term").textContent, this.#part(node, "meaning").textContent] = this.payload.confidence;
    }
  }

  #part(node, name) {
    return node.querySelector(`[data-part=${name}]`);
  }

  #draw() {
    const { payload, el } = this;
    drawSign(this.context, this.images[this.sign], PIXELS);
    el.canvas.setAttribute("aria-label", filled(payload.texts.picture, { sign: payload.classes[this.sign] }));
    for (const node of el.signs.children) {
      const chosen = Number(node.dataset.sign) === this.sign;
      node.setAttribute("aria-checked", String(chosen));
      node.tabIndex = chosen ? 0 : -1;
    }
    this.#moved();
  }

  /** The sticker lies elsewhere, or the sign is another: everything that follows from it. */
  #moved() {
    const { el } = this;
    this.#lay(el.sticker, this.place);
    el.ghost.hidden = this.payload.mode !== "stick" || this.#best();
    el.put.textContent = this.on ? this.payload.texts.take : this.payload.texts.put;
    el.put.dataset.primary = String(!this.on);
    this.root.dataset.on = String(this.on);
    this.look = null;
    if (!this.wake) this.wake = requestAnimationFrame(() => this.#answer());
  }

  /** Puts a node where a sticker with that corner lies. */
  #lay(node, { x, y }) {
    Object.assign(node.style, { left: `${(100 * x) / SIDE}%`, top: `${(100 * y) / SIDE}%`, width: `${(100 * this.side) / SIDE}%` });
  }

  /** Whether the sticker lies where it works best. */
  #best() {
    return this.on && lies(this.place, this.home);
  }

  #pixels(sign) {
    return pixelsOf(this.images[sign], this.on ? { side: this.side, ...this.place } : null);
  }

  #answer() {
    this.wake = 0;
    const pixels = this.#pixels(this.sign);
    const cards = [this.el.before, this.el.after];
    const seen = this.nets.map((net) => trunk(net, pixels, SIDE));
    const values = seen.map((planes, k) => headOf(this.nets[k], planes));
    values.forEach((value, k) => this.#fillCard(cards[k], answerOf(value)));
    if (this.payload.mode === "cured") this.#looks(pixels, seen, values);
    this.last = { pixels: Array.from(pixels), logits: values };
    this.root.dataset.ready = "true";
    clearTimeout(this.due);
    this.due = setTimeout(() => this.#all(), REST);
  }

  /** What counts for each answer, at this place of the sticker. */
  #looks(pixels, seen, values) {
    const { el } = this;
    const { texts, classes } = this.payload;
    const shares = seen.map((planes, k) => {
      const { answer } = answerOf(values[k]);
      const map = evidence(this.nets[k], planes, answer);
      const when = ["before", "after"][k];
      const tone = this.#tone(answer, this.sign);
      drawSeen(el[`seen-${when}`], pixels, map, planes.side, SEEN[tone]);
      el[`seen-${when}`].parentElement.dataset.tone = tone;
      el[`seen-${when}`].setAttribute("aria-label", filled([texts.seen_before, texts.seen_after][k], { answer: classes[answer] }));
      return this.on ? shareOn(map, planes.side, { side: this.side, ...this.place }) : 0;
    });
    el.looks.dataset.shares = shares.map((share) => share.toFixed(3)).join(" ");
    el.looked.textContent = turned(shares) ? texts.looks_turned : texts.looks;
  }

  #fillCard(node, { answer, confidence }) {
    const { texts, classes, faces } = this.payload;
    const tone = this.#tone(answer, this.sign);
    const face = this.#part(node, "face");
    node.dataset.tone = tone;
    node.dataset.answer = String(answer);
    node.dataset.confidence = confidence.toFixed(6);
    if (face.src !== faces[answer]) face.src = faces[answer];
    this.#part(node, "name").textContent = classes[answer];
    this.#part(node, "bar").style.width = `${100 * confidence}%`;
    this.#part(node, "mark").innerHTML = tone === "right" ? MARKS.right : MARKS.wrong;
    this.#part(node, "verdict").textContent = texts[tone];
    this.#part(node, "sure").textContent = filled(texts.sure, { value: percent(confidence) });
  }

  /**
   * Every sign with the sticker at this place, as the network of this screen reads it; and the words for ears. One
   * sign at a time, so that a drag that goes on is never held up; a newer look makes this one end.
   */
  async #all() {
    const { payload, el } = this;
    const net = this.nets[this.nets.length - 1];
    const look = (this.look = {});
    let fooled = 0;
    for (const node of el.signs.children) {
      const k = Number(node.dataset.sign);
      const { answer } = answerOf(logits(net, this.#pixels(k), SIDE));
      fooled += answer === payload.target;
      node.dataset.tone = this.#tone(answer, k);
      node.lastElementChild.innerHTML = answer === k ? MARKS.right : MARKS.wrong;
      await new Promise((done) => setTimeout(done));
      if (look !== this.look) return;
    }
    const { texts, mode } = payload;
    const off = coarse.matches ? texts.count_off_touch : texts.count_off;
    const count = mode === "cured" ? texts.count_after : this.on && !this.#best() ? off : texts.count;
    el.count.textContent = filled(count, { fooled, count: this.choices.length });
    el.count.dataset.tone = fooled ? "fooled" : "right";
    this.#key();
    this.root.dataset.fooled = String(fooled);
    const cards = [el.before, el.after].filter((node) => !node.hidden);
    el.said.textContent = cards.map((node) => ["label", "name", "verdict", "sure"].map((name) => this.#part(node, name).textContent).join(" ")).join(". ");
  }

  /** What the crosses under the signs say, those that are there: another answer than the sign's, or the attacker's. */
  #key() {
    const { payload, el } = this;
    const seen = new Set([...el.signs.children].map((node) => node.dataset.tone));
    const said = { fooled: filled(payload.texts.key_fooled, { target: payload.classes[payload.target] }), wrong: payload.texts.key_wrong };
    el.key.innerHTML = Object.keys(said).filter((tone) => seen.has(tone)).map((tone) => `<span data-tone="${tone}"><span class="sty-mark">${MARKS.wrong}</span><span></span></span>`).join("");
    for (const node of el.key.children) node.lastElementChild.textContent = said[node.dataset.tone];
  }

  #tone(answer, sign) {
    return answer === sign ? "right" : answer === this.payload.target ? "fooled" : "wrong";
  }

  // ---- the visitor

  #choose(sign) {
    this.sign = sign;
    this.#keep();
    this.#draw();
  }

  /** Puts the sticker's corner there; off the picture it is off the sign. */
  #put({ x, y }) {
    this.place = { x: clamp(x, -2, SIDE + 6), y: clamp(y, -2, SIDE - this.side + 2) };
    this.on = this.place.x < SIDE - 0.5;
    this.#keep();
    this.#moved();
  }

  #toggle() {
    this.#glide(this.on ? this.aside : this.home);
  }

  #glide(to) {
    this.root.dataset.glide = "true";
    setTimeout(() => delete this.root.dataset.glide, 400);
    this.#put(to);
  }

  /** A presenter's "next" puts the sticker on first, so that nobody skips the point of this screen. */
  #build(event) {
    if (!this.payload || this.payload.mode !== "stick" || this.on || !this.root.isConnected) return;
    event.preventDefault();
    this.#toggle();
  }

  #listen() {
    const { el } = this;
    el.signs.addEventListener("click", (event) => {
      const node = event.target.closest("[data-sign]");
      if (node) this.#choose(Number(node.dataset.sign));
    });
    el.signs.addEventListener("keydown", (event) => this.#along(event));
    el.put.addEventListener("click", () => this.#toggle());
    el.ghost.addEventListener("click", () => this.#glide(this.home)); // by keyboard the button does it
    el.sticker.addEventListener("pointerdown", (event) => this.#grab(event));
    el.sticker.addEventListener("keydown", (event) => this.#nudge(event));
  }

  #grab(event) {
    event.preventDefault();
    const { sticker, board } = this.el;
    const box = board.getBoundingClientRect();
    const unit = box.width / SIDE;
    const [dx, dy] = [event.clientX - box.left - this.place.x * unit, event.clientY - box.top - this.place.y * unit];
    const move = (at) => this.#put(drawn({ x: (at.clientX - box.left - dx) / unit, y: (at.clientY - box.top - dy) / unit }, this.home));
    sticker.setPointerCapture(event.pointerId);
    sticker.focus({ preventScroll: true });
    sticker.addEventListener("pointermove", move);
    const release = () => sticker.removeEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) sticker.addEventListener(name, release, { once: true });
  }

  /** The arrow keys move the sticker while it has the focus; Enter puts it on or takes it off. */
  #nudge(event) {
    const step = event.shiftKey ? 0.25 : 1;
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (event.key === "Enter" || event.key === " ") this.#toggle();
    else if (way) {
      const to = { x: this.place.x + way[0], y: this.place.y + way[1] };
      this.#put(event.shiftKey ? to : stepped(this.place, to, this.home)); // quarter steps are for the curious
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Arrow keys in the row of signs go along it, as in any group of radio buttons. */
  #along(event) {
    const way = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const at = this.choices.indexOf(this.sign);
    this.#choose(this.choices[(at + way + this.choices.length) % this.choices.length]);
    this.el.signs.querySelector("[aria-checked=true]").focus();
  }

  destroy() {
    document.removeEventListener("dissolve-next", this.onNext);
    cancelAnimationFrame(this.wake);
    clearTimeout(this.due);
    this.root.remove();
  }
}

/** Streamlit calls this at every change of data or theme with the same node, and the result when the node goes. */
export default function ({ parentElement, data }) {
  if (!scenes.has(parentElement)) scenes.set(parentElement, new Scene(parentElement));
  const scene = scenes.get(parentElement);
  parentElement.dissolveScene = scene; // for tests: the pixels and the logits of the last answer
  scene.accept(data);
  return () => setTimeout(() => {
    if (scene.root.isConnected) return;
    scenes.delete(parentElement);
    scene.destroy();
  }, 50);
}
