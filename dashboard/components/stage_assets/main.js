/** The live view of a run: ties the play head, the plots and the panel together. */

import { Curves } from "./curves.js";
import { decode, targetOf } from "./decode.js";
import { FeatureMap } from "./map.js";
import { Panel } from "./panel.js";
import { paceOf, Player } from "./player.js";
import { loadPlotly, readTheme } from "./theme.js";
import { makeView } from "./view.js";
import { stillFooled } from "./words.js";

const REST = 500; // milliseconds of rest before the head's place is told to anyone
const stages = new WeakMap(); // by the node Streamlit gives us: a new payload finds its stage
const memory = new Map(); // by run: where the reader was, for a stage that is taken down and put up again
let mounts = 0;

class Stage {
  constructor(parent) {
    const { root, el } = makeView();
    Object.assign(this, { root, el, panel: new Panel(el), payload: null, player: null, opened: null, wake: 0 });
    this.release = () => this.player && this.player.scrubbing && this.#hold(false);
    root.dataset.mount = String((mounts += 1));
    this.map = new FeatureMap({ host: el.plot, path: el.outline, names: el.names }, this.#mapEvents());
    this.curves = new Curves(
      { host: el.curves, surface: el.surface, head: el.head, shade: el.shade },
      { seek: (frame) => this.#seek(frame), hold: (on) => this.#hold(on) },
    );
    parent.append(root);
    this.#listen();
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");
    this.resizer = new ResizeObserver(() => this.#resize());
    for (const node of [el.plot, el.curves]) this.resizer.observe(node);
  }

  // ---- data

  /** Takes what Streamlit hands over; called for every change of data or theme. */
  accept({ data, setStateValue }) {
    this.setStateValue = setStateValue;
    const payload = decode(data, this.payload);
    const old = this.payload;
    this.#retheme();
    if (payload === old) return;
    this.payload = payload;
    this.target = targetOf(payload);
    const same = old && old.run === payload.run && old.dims === payload.dims && old.points === payload.points;
    if (same && this.opened) this.map.update(payload);
    else this.map.destroy();
    if (!old || old.run !== payload.run || payload.frames.length < old.frames.length) this.#begin(payload);
    else this.player.update(payload.frames.length, payload.live, this.#pace(payload));
    if (old && old.run === payload.run && old.turn !== payload.turn) this.player.replay();
    this.#fill(payload);
    this.#openPlots(payload, same && this.opened);
  }

  #pace(payload) {
    return payload.live ? [] : paceOf(payload.frames, 65534 * Math.max(...payload.scale));
  }

  #begin(payload) {
    const known = memory.get(payload.run);
    const kept = known && known.turn === payload.turn ? known : null;
    if (this.map.selection) this.setStateValue("selection", []); // ids of another run
    this.player = new Player({ count: payload.frames.length, live: payload.live, replay: payload.replay && !kept, still: this.motion.matches, pace: this.#pace(payload) });
    Object.assign(this.map, { isolated: null, selection: null, zoomed: false, styled: "" });
    this.started = payload.frames.length > 0;
    if (kept && payload.frames.length) {
      this.player.seek(kept.frame);
      Object.assign(this.player, { speed: kept.speed, playing: kept.playing && payload.live });
      Object.assign(this.map, { mode: kept.mode, selection: kept.selection });
    }
  }

  /** A recording or a fresh run whose first frame came after the stage: begin as if it had been there. */
  #start(payload) {
    if (this.started || !payload.frames.length) return;
    this.#begin(payload);
  }

  #fill(payload) {
    this.#start(payload);
    const { root, el, panel } = this;
    root.setAttribute("aria-label", payload.texts.stage_label);
    el.plot.setAttribute("aria-label", payload.texts.map_label);
    root.dataset.frames = String(payload.frames.length);
    root.dataset.live = String(payload.live);
    root.dataset.run = payload.run;
    root.dataset.single = String(payload.single || (payload.frames.length === 1 && !payload.live));
    el.empty.hidden = payload.frames.length > 0;
    root.dataset.waiting = String(!payload.frames.length);
    panel.setWords(payload);
    panel.setLegend(payload, (k) => this.#isolate(k));
    this.#mark();
    this.shownFrame = null;
    this.#draw();
  }

  // ---- plots

  #openPlots(payload, open) {
    if (open) {
      this.opened.then((Plotly) => Plotly && this.curves.draw(Plotly, this.payload, this.theme)).then(() => this.#goOn());
    } else if (payload.frames.length) {
      this.opened = this.#open(payload);
    } else {
      loadPlotly(payload.plotly).catch(() => null); // a head start: it is five megabytes
    }
  }

  async #open(payload) {
    try {
      const Plotly = await loadPlotly(payload.plotly);
      await this.map.mount(Plotly, this.payload, this.theme);
      await this.curves.draw(Plotly, this.payload, this.theme);
      this.root.dataset.ready = "true";
      this.#goOn();
      return Plotly;
    } catch (error) {
      console.error("dissolve:", error);
      this.opened = null;
      this.el.empty.hidden = false;
      this.el["empty-title"].textContent = payload.texts.no_plot;
      this.el["empty-text"].textContent = "";
      this.#goOn();
      return null;
    }
  }

  #retheme() {
    const theme = readTheme(this.root);
    const changed = this.theme && JSON.stringify(theme) !== JSON.stringify(this.theme);
    this.theme = theme;
    if (!changed || !this.opened) return;
    this.opened.then((Plotly) => {
      if (!Plotly) return;
      this.map.retheme(theme);
      this.curves.draw(Plotly, this.payload, theme);
    });
  }

  #resize() {
    clearTimeout(this.resizing);
    this.resizing = setTimeout(() => {
      this.map.resize();
      this.curves.resize();
    }, 60);
  }

  // ---- the play head

  /** The clock starts with the picture: a recording must not play unseen while plotly.js is on its way. */
  #goOn() {
    this.#draw();
    this.#run();
  }

  /** Keeps the clock going as long as there is something to move. */
  #run() {
    if (this.wake || !this.player) return;
    let last = performance.now();
    let due = 0;
    const turn = (now) => {
      this.wake = 0;
      if (!this.root.isConnected) return;
      const spent = now - last;
      last = now;
      this.player.still = this.motion.matches;
      this.moved = this.player.tick(spent) || this.moved;
      // a slow machine draws fewer pictures, never a backlog: after each it rests for most of what that one took
      if (this.moved && now >= due) {
        this.moved = false;
        const started = performance.now();
        this.#draw();
        const ended = performance.now();
        due = ended + Math.min(200, 0.7 * (ended - started));
      }
      if (this.player.playing || this.player.glide || this.moved) this.wake = requestAnimationFrame(turn);
      else this.#rested();
    };
    this.wake = requestAnimationFrame(turn);
  }

  #draw() {
    const { payload, player } = this;
    const { frame } = player;
    if (frame !== this.shownFrame || !payload.frames.length) this.#drawFrame(frame);
    this.map.show(player.position);
    this.curves.head(player.position);
    this.panel.setTransport(payload, player);
  }

  #drawFrame(frame) {
    const { payload } = this;
    this.shownFrame = frame;
    const counts = this.panel.setFrame(payload, frame, this.target);
    this.map.nameFrame(frame);
    this.root.dataset.frame = payload.frames.length ? String(frame) : "";
    this.el.tip.hidden = true;
    this.map.cluster = counts && clusterOf(payload, frame, this.target, counts);
  }

  #rested() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (this.player.playing) return;
      this.panel.say(this.payload, this.player.frame);
      if (this.payload.reportPlayhead && this.told !== this.player.frame) {
        this.told = this.player.frame;
        this.setStateValue("playhead", this.player.frame);
      }
    }, REST);
  }

  #act(change) {
    change(this.player);
    this.#draw();
    this.#run();
  }

  #seek(frame) {
    this.#act((player) => player.seek(frame));
  }

  #hold(on) {
    if (!this.player) return;
    this.player.scrubbing = on;
    this.#run();
  }

  // ---- the reader

  #mapEvents() {
    return {
      hover: (id, x, y) => this.panel.showTip(this.payload, this.payload.frames[this.player.frame], id, x, y),
      leave: () => (this.el.tip.hidden = true),
      touch: () => this.player.playing && this.#act((player) => player.toggle()),
      select: (ids) => this.#select(ids.length ? ids : null),
    };
  }

  #select(ids) {
    if (JSON.stringify(ids) === JSON.stringify(this.map.selection)) return;
    this.#look({ selection: ids });
    this.setStateValue("selection", ids || []);
  }

  #isolate(k) {
    this.#look({ isolated: this.map.isolated === k ? null : k });
  }

  #look(change) {
    this.map.look(change);
    this.#mark();
  }

  /** Shows on the controls how the map is looked at. */
  #mark() {
    this.panel.setLook(this.map.mode, this.payload.dims === 2, this.map.dragmode);
    this.panel.markLegend(this.payload, this.map.isolated);
    this.panel.setSelection(this.payload, this.map.selection);
  }

  #drag(mode) {
    this.map.drag(this.map.dragmode === mode && mode === "lasso" ? "pan" : mode);
    this.#mark();
  }

  #listen() {
    const { el } = this;
    // plotly.js loses hold of a drag when the points are redrawn under it: the play head waits for the reader's hand
    el.plot.addEventListener("pointerdown", () => this.#hold(true), true);
    for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, this.release, true);
    const click = (name, act) => el[name].addEventListener("click", () => this.payload && act());
    click("play", () => this.#act((player) => player.toggle()));
    click("back", () => this.#act((player) => player.step(-1)));
    click("forward", () => this.#act((player) => player.step(1)));
    click("live", () => this.#act((player) => player.goLive()));
    for (const x of ["0.5", "1", "2"]) click(`speed-${x}`, () => this.#act((player) => (player.speed = Number(x))));
    click("colour-true", () => this.#look({ mode: "true" }));
    click("colour-answer", () => this.#look({ mode: "answer" }));
    click("move", () => this.#drag("pan"));
    click("lasso", () => this.#drag("lasso"));
    click("zoom-in", () => this.map.zoom(1 / 1.5));
    click("zoom-out", () => this.map.zoom(1.5));
    click("reset", () => this.map.reset());
    click("clear", () => this.#select(null));
    el.slider.addEventListener("input", () => this.#seek(Number(el.slider.value)));
    el.slider.addEventListener("pointerdown", () => this.#hold(true));
    this.root.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Space, arrows, Home and End, wherever the focus is in the stage; a focused button keeps its own space bar. */
  #key(event) {
    if (!this.payload || !this.payload.frames.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      " ": (player) => player.toggle(),
      ArrowLeft: (player) => player.step(-1),
      ArrowRight: (player) => player.step(1),
      Home: (player) => player.seek(0),
      End: (player) => (player.live ? player.goLive() : player.seek(player.count - 1)),
    };
    if (!keys[event.key] || (event.key === " " && event.target.tagName === "BUTTON")) return;
    event.preventDefault();
    event.stopPropagation();
    this.#act(keys[event.key]);
  }

  destroy() {
    const { payload, player } = this;
    if (payload && payload.frames.length) {
      const { mode, selection } = this.map;
      memory.set(payload.run, { turn: payload.turn, frame: player.frame, speed: player.speed, playing: player.playing, mode, selection });
    }
    cancelAnimationFrame(this.wake);
    this.resizer.disconnect();
    for (const name of ["pointerup", "pointercancel"]) window.removeEventListener(name, this.release, true);
    this.map.destroy();
    this.curves.destroy();
    this.root.remove();
  }
}

/** The points still taken for the target, and how strongly to draw the line around them (0 to 1). */
function clusterOf(payload, frame, target, counts) {
  const { answers } = payload.frames[frame];
  const ids = [];
  for (let k = 0; k < payload.points; k++) {
    if (payload.triggered[k] && payload.labels[k] !== target && answers[k] === target) ids.push(k);
  }
  if (!stillFooled(counts)) return { ids, strength: 0 };
  const apart = payload.metrics[frame].dissolution;
  const ramp = (value, low, high) => Math.max(0, Math.min(1, (value - low) / (high - low)));
  const share = counts.total ? counts.fooled / counts.total : 0;
  return { ids, strength: ramp(share, 0.25, 0.5) * (apart === null ? 1 : 1 - ramp(apart, 35, 80)) };
}

/** Streamlit calls this at every change of data or theme with the same node, and the result when the node goes. */
export default function (component) {
  const parent = component.parentElement;
  if (!stages.has(parent)) stages.set(parent, new Stage(parent));
  const stage = stages.get(parent);
  stage.accept(component);
  // a call that was overtaken by the next one is cleaned up too, with the node still in use
  return () => setTimeout(() => {
    if (stage.root.isConnected) return;
    stages.delete(parent);
    stage.destroy();
  }, 50);
}
