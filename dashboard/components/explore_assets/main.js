/** The room where feature space is taken apart: ties maps, legend, gallery and the chosen image together. */

import { readHeader } from "./decode.js";
import { Detail, factsOf } from "./detail.js";
import { save } from "./export.js";
import { widened } from "./guests.js";
import { Gallery, place, pointWords } from "./gallery.js";
import { Legend, mark } from "./legend.js";
import { Own } from "./own.js";
import { fillPage, scaleWords, showTip, takeAway, trustWords } from "./page.js";
import { themeOf, unpack } from "./payload.js";
import { PointMap } from "./points.js";
import { Room } from "./room.js";
import { EXPORTS, makeView } from "./view.js";
import { fill } from "./words.js";

const GLIDE = 260; // milliseconds from one stop to the next
const rooms = new WeakMap(); // by the node Streamlit gives us: a new payload finds its room

class Explorer {
  /** `methods`: those that tell what looks poisoned, as in every payload. */
  constructor(parent, methods) {
    const { root, el } = makeView(Object.keys(methods));
    Object.assign(this, { root, el, payload: null, room: null, both: false, stop: 0, position: 0, wanted: null, kind: "grid", sort: "number" });
    const events = (name) => ({
      hover: (k, x, y) => this.#hover(k, name, x, y), leave: () => this.#hover(-1),
      choose: (k) => this.#choose(k), select: (ids, how) => this.#select(ids, how),
      moved: () => this.#drawMaps(), gesture: (active) => active && this.#hover(-1),
    });
    this.maps = ["a", "b"].map((name) => new PointMap(el[`map-${name}`], events(name)));
    this.maps[1].camera = this.maps[0].camera;
    const on = { choose: (k) => this.#choose(k), hover: (k) => this.#point(k), leave: () => this.#point(-1) };
    this.gallery = new Gallery(el.gallery, on);
    this.detail = new Detail(el, { ...on, select: (ids) => this.#select(ids, "replace"), ask: (order) => this.#ask(order) });
    this.own = new Own(el, { ...on, show: (id) => (this.#layout(id), this.#refresh()), changed: () => this.#refresh() });
    this.legend = new Legend({ search: el.search, list: el.legend, scale: el.scale, empty: el["legend-empty"] }, {
      pick: (c, how, whole) => this.#select(whole && how === "replace" ? [] : this.room.ofClass(c, this.frame), how),
      light: () => (this.#dress(), this.#drawMaps()),
    });
    this.#listen();
    parent.append(root);
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");
    this.resizer = new ResizeObserver(() => requestAnimationFrame(() => this.room && (this.#drawMaps(), this.gallery.draw())));
    for (const node of [el["map-a"], el.gallery]) this.resizer.observe(node);
  }

  // ---- data

  accept({ data, setTriggerValue }) {
    this.tell = setTriggerValue;
    const payload = unpack(data, this.payload);
    const old = this.payload;
    const theme = themeOf(this.root);
    const rethemed = JSON.stringify(theme) !== JSON.stringify(this.theme);
    this.theme = theme;
    if (payload === old) return void (rethemed && this.room && this.#refresh());
    this.payload = payload;
    const fresh = !old || old.run !== payload.run || old.points !== payload.points;
    if (fresh) this.#begin(payload);
    else this.#goOn(old, payload);
    this.#want(fresh ? null : old.wanted, payload.wanted);
    if (this.own.take(payload)) this.#welcome(payload.own);
    if (payload.handout && payload.handout.moment === this.handout) {
      this.handout = null;
      save(payload.handout.name, payload.handoutBytes, "text/csv;charset=utf-8");
    }
    this.legend.fill(payload);
    fillPage(this.el, this.root, payload);
    this.#refresh();
    this.root.dataset.run = payload.run;
    this.root.dataset.frames = String(payload.frames.length);
    this.root.dataset.ready = "true";
  }

  #begin(payload) {
    const { mode } = this.room || { mode: "true" };
    this.room = new Room(payload);
    this.room.mode = mode;
    this.map = payload.layouts[0];
    this.wanted = null;
    this.stop = this.position = this.both || !payload.live ? (this.both ? this.room.last : 0) : this.room.last;
    Object.assign(this.maps[0].camera, { zoom: 1, x: 0, y: 0 });
    this.boxes = new Map();
  }

  #goOn(old, payload) {
    const following = this.map.own && this.stop === old.frames.length - 1;
    this.room.take(payload);
    this.boxes = new Map();
    const there = payload.layouts.find((map) => map.id === this.wanted);
    const kind = this.wanted && this.wanted.startsWith("settled") ? "settled" : this.wanted;
    const busy = payload.jobs.some((job) => job.kind === kind && !job.fault);
    this.map = payload.layouts.find((map) => map.id === this.map.id) || payload.layouts[0];
    if (there) this.#layout(there.id);
    if (there || (this.waited && !busy)) this.wanted = null; // it is there, or it failed
    this.waited = busy;
    if (following && payload.live) this.stop = this.position = this.stops.length - 1;
  }

  /** The map that was asked for outside the room is shown, now or when it is there. */
  #want(before, now) {
    if (!now || (before && before.moment === now.moment)) return;
    this.wanted = null;
    if (this.payload.layouts.some((map) => map.id === now.id)) this.#layout(now.id);
    else this.wanted = now.id;
  }

  /** A picture that has just been placed is shown on its map, before and after side by side. */
  #welcome({ map, models, title }) {
    this.wanted = null;
    this.el.say.textContent = `${this.payload.texts.own_name}: ${title}`;
    this.#layout(map);
    this.both = models > 1;
    this.stop = this.position = this.both ? this.stops.length - 1 : 0;
    this.boxes = new Map();
  }

  /** The frames that the map shown has places for. */
  get stops() {
    return this.map.stops;
  }

  /** The frame that figures, colours and answers are of. */
  get frame() {
    return this.stops[Math.round(this.position)] ?? 0;
  }

  // ---- drawing

  /** Everything anew: after new data, another colouring, another time or another selection. */
  #refresh() {
    const { el, room, payload, map } = this;
    const { texts } = payload;
    const { frame } = this;
    const total = room.ids.length;
    el["box-b"].hidden = !this.both;
    el.maps.dataset.both = String(this.both);
    for (const [name, on] of [["one", !this.both], ["both", this.both], ["grid", this.kind === "grid"], ["table", this.kind === "table"]]) {
      el[name].setAttribute("aria-pressed", String(on));
    }
    for (const tool of ["lasso", "box", "move"]) el[tool].setAttribute("aria-pressed", String(this.maps[0].tool === tool));
    el.both.disabled = room.last === 0;
    el.map.value = this.wanted || map.id;
    el.map.title = el.map.selectedOptions[0] ? el.map.selectedOptions[0].textContent : ""; // settings can be long
    el.colour.value = room.mode;
    this.#dress();
    this.#time();
    this.#trust();
    this.legend.count(room.counts(frame), total, texts);
    this.legend.scale(room.mode, scaleWords(room, frame), payload.terms);
    el["legend-name"].textContent = texts[room.mode === "answer" ? "legend_answer" : "legend_true"];
    el.count.textContent = `${total.toLocaleString("en")} / ${room.n.toLocaleString("en")}`;
    el["count-words"].textContent = texts.selected;
    el.clear.hidden = el["gallery-head"].hidden = el.gallery.hidden = !total;
    el.heads.hidden = !total || this.kind !== "table";
    el.empty.hidden = total > 0;
    el.csv_selected.disabled = !total;
    const facts = this.#facts();
    this.gallery.show(room.sorted(this.sort, frame), this.kind, facts);
    this.gallery.mark(room.chosen);
    this.detail.show(room, room.chosen, facts);
    this.own.show(room, map, facts);
    this.#drawMaps();
    Object.assign(this.root.dataset, { selected: String(total), frame: String(frame), mode: room.mode, map: map.id });
  }

  #facts() {
    const { room, payload, frame } = this;
    const token = (k) => mark(...payload.marks[payload.labels[k]]);
    return factsOf(room, frame, payload.sprite, token, (k) => pointWords(payload, frame, k));
  }

  #dress() {
    const { room, theme } = this;
    const picked = room.lit(this.legend.found, this.frame) || (room.ids.length ? room.selected : null);
    const frames = this.both ? [0, this.frame] : [this.frame];
    // suspicion is told in the attack's colour: the ring around what carries the trigger then takes another
    const worn = room.mode in room.payload.methods ? { ...theme, attack: theme.soft, freed: theme.soft } : theme;
    frames.forEach((frame, at) => this.maps[at].dress(room.paint(frame), room.rings(frame), picked, worn));
  }

  #drawMaps() {
    const { room, map, el } = this;
    if (!this.boxes.has(map.id)) this.boxes.set(map.id, widened(room.box(map), this.own.own, map));
    const shown = this.both ? [[0, 0], [1, this.position]] : [[0, this.position]];
    for (const [at, position] of shown) {
      const view = this.maps[at];
      const when = room.when(this.stops[Math.round(position)]);
      Object.assign(view, { chosen: room.chosen, links: room.chosen < 0 ? [] : room.neighbours(room.chosen, when) });
      view.guests = this.own.guests(map, position, this.theme, this.payload.target);
      view.place(room.places(map, position), map.dims, this.boxes.get(map.id));
      view.draw();
      el[`title-${at ? "b" : "a"}`].textContent = this.#title(this.stops[Math.round(position)]);
    }
  }

  #title(frame) {
    const { texts, steps } = this.payload;
    if (frame === 0) return texts.title_before;
    return fill(frame === this.room.last && !this.payload.live ? texts.title_after : texts.title_step, { step: steps[frame] });
  }

  #trust() {
    const stops = this.both ? [0, Math.round(this.position)] : [Math.round(this.position)];
    stops.forEach((stop, at) => trustWords(this.el[`trust-${at ? "b" : "a"}`], this.payload, this.map, stop, this.stops[stop]));
  }

  #time() {
    const { el, stops, payload } = this;
    el.time.hidden = stops.length < 2;
    el.slider.max = String(stops.length - 1);
    el.slider.value = String(Math.round(this.position));
    el.step.textContent = fill(payload.texts.step, { step: payload.steps[this.frame] ?? 0, place: Math.round(this.position) + 1, all: stops.length });
    el.slider.setAttribute("aria-valuetext", el.step.textContent);
    el.back.disabled = this.stop <= 0;
    el.forward.disabled = this.stop >= stops.length - 1;
  }

  // ---- the reader

  #hover(k, name, x, y) {
    const { el, payload } = this;
    el.tip.hidden = k < 0;
    this.#point(k, name);
    if (k < 0) return;
    showTip(el, name, place(payload.sprite, k), pointWords(payload, name === "a" && this.both ? 0 : this.frame, k), x, y);
  }

  /** The same point lit in both maps. */
  #point(k, besides) {
    ["a", "b"].forEach((name, at) => {
      if (name === besides || this.maps[at].hovered === k) return;
      this.maps[at].hovered = k;
      this.maps[at].drawOver();
    });
  }

  #choose(k) {
    this.room.chosen = k;
    this.gallery.mark(k);
    this.detail.show(this.room, k, this.#facts());
    this.#drawMaps();
  }

  #select(ids, how) {
    this.room.select(ids, how);
    this.#refresh();
    this.el.say.textContent = `${this.el.count.textContent} ${this.el["count-words"].textContent}`;
  }

  #ask(order) {
    const moment = Date.now();
    this.tell("ask", { ...order, run: this.payload.run, moment });
    return moment;
  }

  #export(name) {
    if (!name.startsWith("csv")) return void takeAway(name, this);
    this.handout = this.#ask({ kind: "csv", map: this.map.id, ids: this.room.ids, whole: name === "csv_all" });
  }

  #layout(id) {
    const map = this.payload.layouts.find((entry) => entry.id === id);
    if (!map) {
      const { method, dims } = this.payload.offers.find((offer) => offer.id === id);
      this.wanted = id;
      return this.#ask(method === "settled" ? { kind: "settled", id } : { kind: "map", method, dims });
    }
    const { frame } = this;
    this.map = map;
    const { stops } = map;
    this.stop = this.position = Math.max(0, stops.indexOf(stops.includes(frame) ? frame : stops.at(-1)));
    Object.assign(this.maps[0].camera, { zoom: 1, x: 0, y: 0 });
  }

  #go(stop) {
    const goal = Math.max(0, Math.min(this.stops.length - 1, stop));
    cancelAnimationFrame(this.gliding);
    const from = this.position;
    this.stop = goal;
    if (this.motion.matches || Math.abs(goal - from) > 1.5) {
      this.position = goal;
      return this.#refresh();
    }
    const start = performance.now();
    const turn = (now) => {
      const part = Math.min(1, (now - start) / GLIDE);
      this.position = from + (goal - from) * part * part * (3 - 2 * part);
      if (part === 1) return this.#refresh();
      this.#drawMaps();
      this.gliding = requestAnimationFrame(turn);
    };
    this.gliding = requestAnimationFrame(turn);
  }

  #listen() {
    const { el } = this;
    const click = (name, act) => el[name].addEventListener("click", () => (act(), this.#refresh()));
    for (const tool of ["lasso", "box", "move"]) click(tool, () => this.maps.forEach((map) => ((map.tool = tool), (map.host.dataset.tool = tool))));
    click("zoom-in", () => this.maps[0].zoom(1.4));
    click("zoom-out", () => this.maps[0].zoom(1 / 1.4));
    click("reset", () => this.maps[0].reset());
    click("one", () => (this.both = false));
    click("both", () => {
      this.both = true;
      if (this.stop === 0) this.stop = this.position = this.stops.length - 1;
    });
    for (const kind of ["grid", "table"]) click(kind, () => (this.kind = kind));
    el.clear.addEventListener("click", () => this.#select([], "replace"));
    el.back.addEventListener("click", () => this.#go(this.stop - 1));
    el.forward.addEventListener("click", () => this.#go(this.stop + 1));
    el.slider.addEventListener("input", () => this.#go(Number(el.slider.value)));
    const change = (name, act) => el[name].addEventListener("change", () => (act(el[name].value), this.#refresh()));
    change("map", (id) => this.#layout(id));
    change("colour", (mode) => (this.room.mode = mode));
    change("sort", (by) => (this.sort = by));
    el.find.addEventListener("change", () => {
      if (el.find.value) this.#select(this.room.find(el.find.value, this.frame), "replace");
      el.find.value = "";
    });
    for (const name of EXPORTS) el[name].addEventListener("click", () => ((el.export.open = false), this.#export(name)));
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      el.export.open = false;
      this.#select([], "replace");
      this.#choose(-1);
    });
  }

  destroy() {
    cancelAnimationFrame(this.gliding);
    this.resizer.disconnect();
    if (this.payload && this.payload.sprite) URL.revokeObjectURL(this.payload.sprite.url);
    this.root.remove();
  }
}

/** Streamlit calls this at every change of data or theme with the same node, and the result when the node goes. */
export default function (component) {
  const parent = component.parentElement;
  if (!rooms.has(parent)) rooms.set(parent, new Explorer(parent, readHeader(component.data).header.methods));
  const room = rooms.get(parent);
  room.accept(component);
  return () => setTimeout(() => {
    if (room.root.isConnected) return;
    rooms.delete(parent);
    room.destroy();
  }, 50);
}
