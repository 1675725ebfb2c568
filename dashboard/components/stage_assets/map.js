/** The feature map: plotly.js holds the points, an SVG above it the outline of the cluster. */

import { outlines, pathOf } from "./outline.js";
import { targetOf } from "./decode.js";
import { ClassNames } from "./names.js";
import { mixed, themed, withAlpha } from "./theme.js";

const AIR = 0.045; // around the points, as a share of their spread
const STRETCH = 2.6; // at most so much wider than high, or higher than wide, a frame draws the map: its axes have no unit
const DIM = 0.08; // strength of points that are not looked at
const EDGE_DIM = "rgba(0,0,0,0)";
const MAP_CONFIG = { displayModeBar: false, scrollZoom: true, doubleClick: false, responsive: false, showTips: false };

export class FeatureMap {
  /** `parts`: host, path, names nodes; `on`: hover(id, x, y), leave(), select(ids), touch(). */
  constructor(parts, on) {
    this.parts = parts;
    this.on = on;
    this.mode = "true"; // colour by true class or by "answer"
    this.isolated = null;
    this.selection = null;
    this.zoomed = false; // by the reader: then the window is theirs
    this.drawn = null;
    this.dragmode = "pan";
    this.#quietWheel();
  }

  /** A wheel over the map scrolls the page; with Ctrl or Cmd, or by pinching, it zooms the map. */
  #quietWheel() {
    this.parts.host.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    }, { capture: true, passive: true });
  }

  async mount(Plotly, payload, theme) {
    this.Plotly = Plotly;
    this.theme = theme;
    this.#take(payload);
    const figure = structuredClone(payload.figures.map); // plotly.js writes into what it is given
    const layout = themed(figure.layout, theme);
    if (this.flat) {
      this.dragmode = matchMedia("(pointer: coarse)").matches ? false : "pan"; // one finger scrolls the page
      layout.dragmode = this.dragmode;
      layout.xaxis = { ...layout.xaxis, range: [...this.range.x] };
      layout.yaxis = { ...layout.yaxis, range: [...this.range.y], scaleratio: 1 / this.#stretch() };
    }
    const data = figure.data.map((trace, k) => ({ ...trace, customdata: this.rows[k], hoverinfo: k < 2 ? "none" : "skip" }));
    await Plotly.newPlot(this.parts.host, data, layout, MAP_CONFIG);
    Object.assign(this, { drawn: null, placed: null, styled: null });
    this.classNames = new ClassNames(this.parts.names);
    this.classNames.make(payload, this.rows[0], this.flat);
    this.#listen();
  }

  #take(payload) {
    this.payload = payload;
    this.flat = payload.dims === 2;
    this.target = targetOf(payload);
    const ids = [...payload.labels.keys()];
    const triggered = ids.filter((k) => payload.triggered[k]);
    this.rows = [ids.filter((k) => !payload.triggered[k]), triggered, ...(this.flat ? [] : [triggered])]; // as figures.py
    this.range = this.#fit();
  }

  /** Axis ranges that hold every frame of the run as far as it is known, with some air. */
  #fit() {
    const { low, scale, box } = this.payload;
    const side = (axis) => {
      const [from, to] = box ? [box[0][axis], box[1][axis]] : [low[axis], low[axis] + scale[axis] * 65534];
      const air = AIR * Math.max(to - from, 1e-6);
      return [from - air, to + air];
    };
    return { x: side(0), y: side(1) };
  }

  /** How much wider than high a unit is drawn, so that the frame is filled. */
  #stretch() {
    const { clientWidth: width, clientHeight: height } = this.parts.host;
    const [across, down] = [this.range.x, this.range.y].map(([low, high]) => high - low);
    return height && width ? Math.max(1 / STRETCH, Math.min(STRETCH, (width / height) * (down / across))) : 1;
  }

  #listen() {
    const host = this.parts.host;
    host.on("plotly_hover", (event) => {
      const point = event.points[0];
      const box = host.getBoundingClientRect();
      this.on.hover(Number(point.customdata), event.event.clientX - box.left, event.event.clientY - box.top);
    });
    host.on("plotly_unhover", () => this.on.leave());
    host.on("plotly_selecting", () => this.on.touch());
    host.on("plotly_selected", (event) => this.#chosen(event));
    host.on("plotly_relayouting", () => this.#moved());
    host.on("plotly_relayout", () => this.#follow());
  }

  #moved() {
    this.zoomed = true;
    this.#follow();
  }

  /** The outline after a change of view; a 3-D scene has turned only at its next drawing. */
  #follow() {
    if (this.flat) this.drawOutline();
    else requestAnimationFrame(() => this.Plotly && this.drawOutline());
  }

  /** plotly.js would judge a lasso anew at every frame; so we keep the ids and take its lasso away. */
  #chosen(event) {
    if (!event || !(event.lassoPoints || event.range)) return; // the event of our own taking away
    const ids = [...new Set(event.points.map((point) => Number(point.customdata)))].sort((a, b) => a - b);
    setTimeout(() => {
      this.#relayout({ selections: [] });
      this.Plotly.restyle(this.parts.host, { selectedpoints: [null, null] }, [0, 1]);
      this.on.select(ids);
    });
  }

  #relayout(change) {
    this.Plotly.relayout(this.parts.host, change);
  }

  /** New data of the same run: the view stays where it is, unless points would leave it. */
  update(payload) {
    this.#take(payload);
  }

  retheme(theme) {
    this.theme = theme;
    this.styled = null;
    this.show(this.position ?? 0, true);
  }

  look({ mode = this.mode, isolated = this.isolated, selection = this.selection }) {
    Object.assign(this, { mode, isolated, selection });
    this.show(this.position ?? 0, true);
  }

  /** Draws the points at `position`; between two frames they are between their places. */
  show(position, force = false) {
    this.position = position;
    if (!this.Plotly || !this.payload.frames.length) return;
    if (position === this.drawn && !force) return;
    this.drawn = position;
    const last = this.payload.frames.length - 1;
    const from = this.payload.frames[Math.min(last, Math.floor(position))].coords;
    const to = this.payload.frames[Math.min(last, Math.floor(position) + 1)].coords;
    this.places = between(from, to, position - Math.floor(position));
    this.shown = this.payload.frames[Math.min(last, Math.round(position))];
    this.#place(Math.round(position), force || position === Math.floor(position));
    this.drawOutline();
  }

  /**
   * Hands the places to plotly.js: in full at every frame, and between two frames straight to the graphics card,
   * which is what makes the movement smooth (under a millisecond instead of a dozen).
   */
  #place(frame, full) {
    const style = this.#style(frame);
    const layout = this.#growing();
    const changed = frame !== this.placed || Object.keys(style).length || Object.keys(layout).length;
    if (!full && !changed && this.#glide()) return;
    this.placed = frame;
    this.Plotly.update(this.parts.host, { ...this.#coordinates(), ...style }, layout, [...this.rows.keys()]);
  }

  /** Moves the points without plotly.js noticing; false where its inside is not as expected. */
  #glide() {
    const full = this.parts.host._fullLayout;
    const scene = this.flat && full._plots && full._plots.xy && full._plots.xy._scene;
    if (!scene || !scene.scatter2d || !full._glcanvas) return false;
    try {
      const drawn = this.rows.filter((ids) => ids.length);
      scene.scatter2d.update(drawn.map((ids) => ({ positions: this.#flat(ids) })));
      full._glcanvas.each((layer) => layer.regl && layer.regl.clear({ color: true, depth: true }));
      scene.draw();
      return true;
    } catch {
      return false;
    }
  }

  #flat(ids) {
    const positions = new Float64Array(2 * ids.length);
    ids.forEach((k, at) => positions.set([this.places[2 * k], this.places[2 * k + 1]], 2 * at));
    return positions;
  }

  #coordinates() {
    const { dims } = this.payload;
    const axis = (offset) => this.rows.map((ids) => Float32Array.from(ids, (k) => this.places[k * dims + offset]));
    return this.flat ? { x: axis(0), y: axis(1) } : { x: axis(0), y: axis(1), z: axis(2) };
  }

  /** Colours and shapes, sent only when they change. */
  #style(frame) {
    const rings = this.#rings();
    const chosenIds = this.selection && this.selection.join();
    const key = [this.mode, this.mode === "answer" ? frame : "", this.isolated, chosenIds, rings.join("")].join("|");
    if (key === this.styled) return {};
    this.styled = key;
    const { marks } = this.payload;
    const classes = this.mode === "answer" ? this.shown.answers : this.payload.labels;
    const chosen = this.selection && new Set(this.selection);
    const lit = (k) => (this.isolated === null || classes[k] === this.isolated) && (!chosen || chosen.has(k));
    const colours = marks.map(([hex]) => [this.#dim(hex), hex]);
    const all = this.isolated === null && !chosen;
    const edges = all ? this.theme.edge : this.rows[0].map((k) => (lit(k) ? this.theme.edge : EDGE_DIM));
    const ringed = rings.map((hex, at) => (lit(this.rows[1][at]) ? hex : this.#dim(hex)));
    const fills = (ids) => ids.map((k) => colours[classes[k]][lit(k) ? 1 : 0]);
    const shapes = new Set(marks.map(([, shape]) => shape)).size > 1;
    const symbols = (ids) => (shapes ? ids.map((k) => marks[classes[k]][1]) : "circle");
    if (!this.flat) return this.#style3d(fills, symbols, ringed);
    return {
      "marker.color": this.rows.map(fills),
      "marker.line.color": [edges, ringed],
      "marker.symbol": this.rows.map(symbols),
    };
  }

  #dim(hex) {
    return this.flat ? withAlpha(hex, DIM) : mixed(hex, this.theme.ground, DIM);
  }

  #style3d(fills, symbols, rings) {
    const [clean, triggered] = this.rows;
    return {
      "marker.color": [fills(clean), fills(triggered), rings],
      "marker.line.color": [this.theme.edge, this.theme.edge, rings], // the first two have no line
      "marker.symbol": [symbols(clean), symbols(triggered), "circle-open"],
    };
  }

  /** The ring of each triggered point: the attack's colour as long as the model gives the attacker's answer. */
  #rings() {
    const { labels, figures } = this.payload;
    const { misled, freed } = figures.map.layout.meta;
    const wrong = (k) => labels[k] !== this.target && this.shown.answers[k] === this.target;
    return this.rows[1].map((k) => (wrong(k) ? misled : freed));
  }

  /** The layout change that lets the window grow with the data, a part of the way at each drawing. */
  #growing() {
    if (!this.flat || this.zoomed) return {};
    const { xaxis, yaxis } = this.parts.host.layout;
    const change = {};
    for (const [axis, now, goal] of [["xaxis", xaxis.range, this.range.x], ["yaxis", yaxis.range, this.range.y]]) {
      const span = goal[1] - goal[0];
      if (now[0] - goal[0] < 0.002 * span && goal[1] - now[1] < 0.002 * span) continue;
      const near = (k) => now[k] + 0.25 * (goal[k] - now[k]);
      change[`${axis}.range`] = [Math.min(now[0], near(0)), Math.max(now[1], near(1))];
    }
    return change;
  }

  /** Outline, group by group, of the points still taken for the target; `cluster` is set by the stage. */
  drawOutline() {
    const { path } = this.parts;
    const strength = this.places && this.cluster ? this.cluster.strength : 0;
    path.style.opacity = strength;
    const edges = strength > 0 ? outlines(this.#pixels(this.cluster.ids), this.#reach()) : [];
    path.setAttribute("d", pathOf(edges));
    if (this.places) this.#placeNames();
  }

  /** Pixels from the outermost points of the cluster to the line around it. */
  #reach() {
    const { clientWidth, clientHeight } = this.parts.host;
    return Math.max(14, 0.05 * Math.min(clientWidth, clientHeight));
  }

  /** Where points are on the page, from the map's upper left corner. */
  #pixels(ids) {
    const points = this.flat ? this.#flatPixels(ids) : this.#scenePixels(ids);
    return points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  }

  #flatPixels(ids) {
    const { xaxis, yaxis } = this.parts.host._fullLayout;
    return ids.map((k) => [xaxis._offset + xaxis.l2p(this.places[2 * k]), yaxis._offset + yaxis.l2p(this.places[2 * k + 1])]);
  }

  /** Through the camera of the 3-D scene; nowhere if plotly.js's inside is not as expected. */
  #scenePixels(ids) {
    const scene = this.parts.host._fullLayout.scene._scene;
    const camera = scene && scene.glplot && scene.glplot.cameraParams;
    if (!camera || !scene.dataScale) return [];
    const { clientWidth: width, clientHeight: height } = this.parts.host;
    return ids.map((k) => {
      const place = [0, 1, 2].map((axis) => this.places[3 * k + axis] * scene.dataScale[axis]);
      const [x, y, , w] = [camera.model, camera.view, camera.projection].reduce(transformed, [...place, 1]);
      return [width * (0.5 + (0.5 * x) / w), height * (0.5 - (0.5 * y) / w)];
    });
  }

  /** Takes the classes' places in a frame, for their names. */
  nameFrame(frame) {
    if (this.classNames) this.classNames.take(this.payload.frames[frame].coords, frame);
  }

  #placeNames() {
    if (!this.flat || !this.classNames) return;
    if (this.classNames.named === null) this.nameFrame(Math.min(this.payload.frames.length - 1, Math.round(this.position)));
    const { host } = this.parts;
    const { xaxis, yaxis } = host._fullLayout;
    const unit = [xaxis.l2p(1) - xaxis.l2p(0), yaxis.l2p(0) - yaxis.l2p(1)];
    const start = [xaxis._offset + xaxis.l2p(0), yaxis._offset + yaxis.l2p(0)];
    const at = Float32Array.from(this.places, (value, k) => (k % 2 ? start[1] - value * unit[1] : start[0] + value * unit[0]));
    const ids = this.cluster && this.cluster.strength > 0 ? this.cluster.ids : [];
    this.classNames.place(at, unit, { ids, reach: this.#reach() }, host.clientWidth, host.clientHeight);
  }

  drag(mode) {
    this.dragmode = mode;
    this.#relayout({ dragmode: mode });
  }

  zoom(factor) {
    if (!this.flat) return;
    const { xaxis, yaxis } = this.parts.host._fullLayout;
    const around = ([low, high]) => {
      const [middle, half] = [(low + high) / 2, ((high - low) / 2) * factor];
      return [middle - half, middle + half];
    };
    this.#relayout({ "xaxis.range": around(xaxis.range), "yaxis.range": around(yaxis.range) });
    this.#moved();
  }

  reset() {
    this.zoomed = false;
    const fit = { "xaxis.range": [...this.range.x], "yaxis.range": [...this.range.y], "yaxis.scaleratio": 1 / this.#stretch() };
    if (this.flat) this.#relayout(fit);
    else this.#relayout({ "scene.camera": null });
    this.drawOutline();
  }

  resize() {
    if (!this.Plotly || !this.parts.host.clientWidth) return;
    this.Plotly.Plots.resize(this.parts.host).then(() => {
      // with equal scales plotly.js widens the window to a new shape, and never narrows it again
      if (this.flat && !this.zoomed) this.reset();
      else this.drawOutline();
    });
  }

  destroy() {
    if (this.Plotly) this.Plotly.purge(this.parts.host);
    this.Plotly = null;
  }
}

/** A point (x, y, z, w) times a 4 x 4 matrix that is kept column by column. */
function transformed(point, matrix) {
  return [0, 1, 2, 3].map((row) => point.reduce((sum, part, column) => sum + part * matrix[4 * column + row], 0));
}

function between(from, to, part) {
  if (part === 0 || from === to) return from;
  const places = new Float32Array(from.length);
  for (let k = 0; k < places.length; k++) places[k] = from[k] + (to[k] - from[k]) * part;
  return places;
}
