/** The play head: pure arithmetic over time, no page. */

const INTERVAL = 400; // milliseconds from one frame to the next at 1x: two and a half a second
const GLIDE = 220; // milliseconds of a single step by hand
const OPENING = 1200; // a recording rests on its first frame, so that the cluster can be read

const ease = (t) => t * t * (3 - 2 * t);

export class Player {
  /** `count` frames so far; `live`: more may come; `replay`: play from the first; `still`: reduced motion. */
  constructor({ count, live, replay, still }) {
    this.count = count;
    this.live = live;
    this.still = still;
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
    return this.still ? this.base : this.base + ease(this.part);
  }

  /** The frame whose figures and answers are shown. */
  get frame() {
    return Math.min(Math.max(0, this.count - 1), Math.round(this.position));
  }

  get atEdge() {
    return this.base >= this.count - 1 && !this.glide;
  }

  /** New data never moves the head. */
  update(count, live) {
    this.count = count;
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
    this.part += (span * this.speed) / INTERVAL;
    while (this.part >= 1 && this.base < this.count - 1) {
      this.base += 1;
      this.part -= 1;
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

  goLive() {
    this.#place(Math.max(0, this.count - 1));
    this.playing = this.live;
  }
}
