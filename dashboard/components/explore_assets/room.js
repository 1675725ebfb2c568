/** What is on the map and what the reader has picked out of it: no page, no drawing. */

const SHADES = 24; // steps of a colour scale
// From "unsure" to "sure": yellow to blue over grey as in cividis (Nuñez, Anderton and Renslow, PLoS ONE 2018), which is
// read alike with colour blindness; its dark end is lifted, or it would be lost on a dark page
const CONFIDENCE = [[255, 234, 70], [188, 175, 111], [124, 123, 120], [80, 96, 135], [52, 76, 142]];
// From nothing to the colour of the attack
const SUSPICION = [[196, 202, 207], [216, 170, 140], [222, 135, 75], [213, 94, 0]];
const NONE = "#9AA3AB"; // where there is no figure

export class Room {
  constructor(payload) {
    this.mode = "true";
    this.chosen = -1;
    this.selected = new Uint8Array(payload.points);
    this.ids = [];
    this.take(payload);
  }

  /** New data of the same run: what was picked stays picked. */
  take(payload) {
    this.payload = payload;
    this.n = payload.points;
    this.last = Math.max(0, payload.frames.length - 1);
  }

  // ---- maps and time

  /** Places (n x dims) on a map at a stop; between two stops, between their places. */
  places(map, position) {
    const [from, part] = [Math.floor(position), position - Math.floor(position)];
    const a = this.#stop(map, from);
    if (!part) return a;
    const b = this.#stop(map, from + 1);
    const places = new Float32Array(a.length);
    for (let k = 0; k < a.length; k++) places[k] = a[k] + (b[k] - a[k]) * part;
    return places;
  }

  #stop(map, stop) {
    const at = Math.min(stop, map.stops.length - 1);
    if (map.own) return this.payload.frames[at].coords;
    const size = this.n * map.dims;
    return map.places.subarray(at * size, (at + 1) * size);
  }

  /** The box [low, high] that holds every stop of a map. */
  box(map) {
    const low = new Array(map.dims).fill(Infinity);
    const high = new Array(map.dims).fill(-Infinity);
    for (let stop = 0; stop < map.stops.length; stop++) {
      const places = this.#stop(map, stop);
      for (let k = 0; k < places.length; k++) {
        const axis = k % map.dims;
        if (places[k] < low[axis]) low[axis] = places[k];
        if (places[k] > high[axis]) high[axis] = places[k];
      }
    }
    return { low, high };
  }

  // ---- what is known of a point

  answer(k, frame) {
    return this.payload.frames[frame].answers[k];
  }

  /** The ring of each point: 1 as long as the trigger misleads the model, 2 once it is read otherwise, 0 without it. */
  rings(frame) {
    const { labels, triggered, target } = this.payload;
    const misled = (k) => labels[k] !== target && this.answer(k, frame) === target;
    return Uint8Array.from({ length: this.n }, (_, k) => (triggered[k] ? (misled(k) ? 1 : 2) : 0));
  }

  /** The same for one of the two models, "before" or "after". */
  ringsOf(when) {
    return this.rings(when === "after" ? this.last : 0);
  }

  confidence(k, frame) {
    return this.payload.frames[frame].confidence[k];
  }

  /** Which of the two models a frame's full features are known of: the last frame's, else the first's. */
  when(frame) {
    return frame === this.last && this.last > 0 && this.payload.whens.includes("after") ? "after" : "before";
  }

  /** A suspicion score, 0-1, or null where it was not computed. */
  score(k, method, when) {
    const at = this.payload.scores.findIndex((entry) => entry.method === method && entry.when === when);
    return at < 0 ? null : this.payload.suspicion[at * this.n + k] / 255;
  }

  judged(method, when) {
    return this.payload.scores.find((entry) => entry.method === method && entry.when === when) || null;
  }

  /** The nearest others in the full feature space, nearest first; empty where that is not known. */
  neighbours(k, when) {
    const at = this.payload.whens.indexOf(when);
    const { near, neighbours } = this.payload;
    return at < 0 || !near ? [] : [...neighbours.subarray((at * this.n + k) * near, (at * this.n + k + 1) * near)];
  }

  /** The same image with and without the trigger: [without, with], -1 where there is none. */
  pair(k) {
    if (this.payload.triggered[k]) return [this.payload.twin[k], k];
    return [k, this.payload.twin.indexOf(k)];
  }

  // ---- colours

  /** How to paint every point at a frame: {palette: [{colour, shape}], key: Uint16 (n)}. */
  paint(frame, mode = this.mode) {
    const { payload, n } = this;
    const key = new Uint16Array(n);
    if (mode === "true" || mode === "answer") {
      const classes = mode === "true" ? payload.labels : payload.frames[frame].answers;
      for (let k = 0; k < n; k++) key[k] = classes[k];
      return { palette: payload.marks.map(([colour, shape]) => ({ colour, shape })), key };
    }
    const palette = [...scale(mode), NONE].map((colour) => ({ colour, shape: "circle" }));
    const when = this.when(frame);
    for (let k = 0; k < n; k++) {
      const share = mode === "confidence" ? this.confidence(k, frame) / 100 : this.score(k, mode, when);
      key[k] = share === null ? SHADES : Math.min(SHADES - 1, Math.floor(share * SHADES));
    }
    return { palette, key };
  }

  // ---- the selection

  /** Picks points: `how` is "replace", "add" or "remove". */
  select(ids, how = "replace") {
    if (how === "replace") this.selected.fill(0);
    for (const k of ids) this.selected[k] = how === "remove" ? 0 : 1;
    this.ids = [];
    for (let k = 0; k < this.n; k++) if (this.selected[k]) this.ids.push(k);
  }

  /** Points of a kind, for those who use no lasso. */
  find(kind, frame) {
    const { payload } = this;
    const before = payload.frames[0];
    const now = payload.frames[frame];
    const when = this.when(frame);
    const tests = {
      all: () => true,
      triggered: (k) => payload.triggered[k],
      clean: (k) => !payload.triggered[k],
      wrong: (k) => now.answers[k] !== payload.labels[k],
      target: (k) => now.answers[k] === payload.target,
      changed: (k) => payload.frames[this.last].answers[k] !== before.answers[k],
      unsure: (k) => now.confidence[k] < 60,
      invert: (k) => !this.selected[k],
    };
    for (const method of Object.keys(payload.methods)) tests[method] = (k) => this.score(k, method, when) >= 0.5;
    return [...Array(this.n).keys()].filter(tests[kind]);
  }

  /** Uint8 (n), 1 for the points of the classes that a search found; null where it found none, or there is none. */
  lit(found, frame) {
    if (!found || !found.size) return null;
    const classes = this.classes(frame);
    return Uint8Array.from({ length: this.n }, (_, k) => Number(found.has(classes[k])));
  }

  ofClass(c, frame) {
    const classes = this.classes(frame);
    return [...Array(this.n).keys()].filter((k) => classes[k] === c);
  }

  /** What the legend counts by: the model's answers where they colour the map, the true classes otherwise. */
  classes(frame) {
    return this.mode === "answer" ? this.payload.frames[frame].answers : this.payload.labels;
  }

  /** Points per class, and how many of them are selected: {all, picked}, each (classes). */
  counts(frame) {
    const classes = this.classes(frame);
    const all = new Array(this.payload.classes.length).fill(0);
    const picked = all.slice();
    for (let k = 0; k < this.n; k++) {
      all[classes[k]] += 1;
      picked[classes[k]] += this.selected[k];
    }
    return { all, picked };
  }

  /** The selection in an order: by "number", "true", "answer", "confidence" (unsure first) or a score (high first). */
  sorted(by, frame) {
    const when = this.when(frame);
    const values = {
      number: (k) => k,
      true: (k) => this.payload.labels[k],
      answer: (k) => this.answer(k, frame),
      confidence: (k) => this.confidence(k, frame),
    };
    const value = values[by] ?? ((k) => -(this.score(k, by, when) ?? 0));
    const known = new Map(this.ids.map((k) => [k, value(k)]));
    return [...this.ids].sort((a, b) => known.get(a) - known.get(b) || a - b);
  }
}

/** The colours of a scale from low to high, as CSS. */
export function scale(mode) {
  const anchors = mode === "confidence" ? CONFIDENCE : SUSPICION;
  return Array.from({ length: SHADES }, (_, k) => {
    const at = (k / (SHADES - 1)) * (anchors.length - 1);
    const [low, part] = [Math.min(anchors.length - 2, Math.floor(at)), at - Math.min(anchors.length - 2, Math.floor(at))];
    const mix = [0, 1, 2].map((c) => Math.round(anchors[low][c] + (anchors[low + 1][c] - anchors[low][c]) * part));
    return `rgb(${mix.join(",")})`;
  });
}
