/** The play head: pure arithmetic over time, no page. */

const INTERVAL = 400; // milliseconds from one frame to the next at 1x: two and a half a second
const GLIDE = 220; // milliseconds of a single step by hand
const OPENING = 1200; // a recording rests on its first frame, so that the cluster can be read

const BRIEFEST = 40; // milliseconds that a replay spends between two frames at least
const [SHORT, LONG, EACH] = [4000, 9000, 180]; // a replay takes so long: EACH for every frame, within these two
const TURNED = 0.5; // a change of all answers weighs as much as points that travel half of the map

const ease = (t) => t * t * (3 - 2 * t);

/** Milliseconds from each frame to the next at 1x: a replay spends its time where points travel and answers change. */
export function paceOf(frames, size) {
  const changes = frames.slice(1).map((to, k) => changed(frames[k], to, size));
  const sum = changes.reduce((a, b) => a + b, 0);
  const spent = Math.min(LONG, Math.max(SHORT, EACH * changes.length)) - BRIEFEST * changes.length;
  return changes.map((change) => BRIEFEST + Math.max(0, spent) * (sum > 0 ? change / sum : 1 / changes.length));
}

/** How much a frame differs from the one before: the mean way of a point as a share of the map, and new answers. */
function changed(from, to, size) {
  let [way, turned] = [0, 0];
  for (let k = 0; k < to.coords.length; k++) {
    const step = Math.abs(to.coords[k] - from.coords[k]);
    if (Number.isFinite(step)) way += step;
  }
  for (let k = 0; k < to.answers.length; k++) turned += to.answers[k] !== from.answers[k];
  return way / size / Math.max(1, to.coords.length) + (TURNED * turned) / Math.max(1, to.answers.length);
}

export class Player {
  /** `count` frames so far; `live`: more may come; `replay`: play from the first; `still`: reduced motion. */
  constructor({ count, live, replay, still, pace = [] }) {
    this.count = count;
    this.live = live;
    this.still = still;
    this.pace = pace;
    this.speed = 1;
    this.scrubbing = false;
    this.base = replay || (live && count <= 3) ? 0 : Math.max(0, count - 1);
    this.part = 0;
    this.glide = null;
    this.playing = live || (replay && count > 1);
    this.opening = replay || live ? OPENING : 0;
  }

  /** Where the head is between the frames: 2.5 is half way from the third to the fourth. */
  get position() {
    if (this.glide) return this.glide.from + (this.glide.to - this.glide.from) * ease(this.glide.part);
    if (this.still) return this.base;
    return this.base + (this.live ? ease(this.part) : this.part); // a replay flows, a live run comes to rest and waits
  }

  /** Milliseconds from the frame at `base` to the next: what is still to come cannot be weighed. */
  get #gap() {
    return (!this.live && this.pace[this.base]) || INTERVAL;
  }

  /** The frame whose figures and answers are shown. */
  get frame() {
    return Math.min(Math.max(0, this.count - 1), Math.round(this.position));
  }

  get atEdge() {
    return this.base >= this.count - 1 && !this.glide;
  }

  /** New data never moves the head. */
  update(count, live, pace = []) {
    this.count = count;
    this.pace = pace;
    this.live = live;
    this.base = Math.min(this.base, Math.max(0, count - 1));
  }

  /** Moves on by `ms`; true if anything changed. */
  tick(ms) {
    const span = Math.min(ms, INTERVAL); // a tab that was hidden goes on from where it was
    if (this.glide) return this.#slide(span);
    if (!this.playing || this.scrubbing || !this.count) return false;
    if (this.opening > 0 && this.base === 0) {
      this.opening -= span;
      return false;
    }
    if (this.base >= this.count - 1) return this.#rest();
    let left = span * this.speed;
    while (left > 0 && this.base < this.count - 1) {
      const need = (1 - this.part) * this.#gap;
      if (left < need) this.part += left / this.#gap;
      else Object.assign(this, { base: this.base + 1, part: 0 });
      left -= need;
    }
    if (this.base >= this.count - 1) this.part = 0;
    return true;
  }

  #slide(span) {
    this.glide.part += span / GLIDE;
    if (this.glide.part >= 1) this.#place(this.glide.to);
    return true;
  }

  #rest() {
    if (this.live) return false; // wait for the next frame
    this.playing = false;
    return true;
  }

  #place(frame) {
    this.base = frame;
    this.part = 0;
    this.glide = null;
    this.opening = 0;
  }

  /** Jumps to a frame and goes on playing if it was. */
  seek(frame) {
    this.#place(Math.min(Math.max(0, this.count - 1), Math.max(0, Math.round(frame))));
  }

  /** One frame by hand, `by` -1 or 1; pauses. */
  step(by) {
    const from = this.glide ? this.glide.to : this.position; // pressed again on the way: one further
    const goal = by < 0 ? Math.ceil(from) - 1 : Math.floor(from) + 1;
    const to = Math.min(Math.max(0, this.count - 1), Math.max(0, goal));
    this.playing = false;
    this.#settle(to);
  }

  /** Play or pause; play at the end of a recording begins again. */
  toggle() {
    this.playing = !this.playing;
    if (!this.playing) this.#settle(this.frame);
    else if (!this.live && this.atEdge) this.#place(0);
    this.opening = 0;
  }

  /** Comes to rest on a frame, never between two. */
  #settle(to) {
    const from = this.position;
    this.#place(to);
    if (!this.still && from !== to) this.glide = { from, to, part: 0 };
  }

  /** From the first frame on, with a breath before. */
  replay() {
    this.#place(0);
    this.playing = this.count > 1;
    this.opening = OPENING;
  }

  goLive() {
    this.#place(Math.max(0, this.count - 1));
    this.playing = this.live;
  }
}
