/**
 * One map of points on a canvas: drawing, looking around, lasso and box.
 *
 * A canvas of our own and no plot: points are selected by their number in three dimensions too, two maps share one
 * camera, and a picture of it can be written as true SVG.
 */

import { inside, outline, project } from "./shapes.js";
import { drawVisitors } from "./visitors.js";

const CLICK = 4; // pixels a pointer may wander and still click
const NEAR = 14; // pixels from a point at which it counts as pointed at
const UNLIT = 0.13;

/** What both maps of a pair share: how they are looked at. */
export const camera = () => ({ zoom: 1, x: 0, y: 0, yaw: 0.6, pitch: 0.4 });

export class PointMap {
  /** `on`: hover(id, x, y), leave(), choose(id), select(ids, how), moved(), gesture(active). */
  constructor(host, on) {
    Object.assign(this, { host, on, camera: camera(), tool: "lasso", chosen: -1, hovered: -1, links: [], guests: [], trail: null });
    this.canvas = host.appendChild(document.createElement("canvas"));
    this.over = host.appendChild(document.createElement("canvas"));
    this.sprites = new Map();
    this.#listen();
  }

  /** `places` Float32 (n x dims); `box` holds all of them at every time. */
  place(places, dims, box) {
    Object.assign(this, { places, dims, box });
    this.n = places.length / dims;
    if (!this.px || this.px.length !== this.n) {
      [this.px, this.py, this.depth] = [0, 1, 2].map(() => new Float32Array(this.n));
      this.order = Uint32Array.from({ length: this.n }, (_, k) => k);
    }
  }

  /** `paint` as of Room.paint, `ringed` Uint8 (n): 1 misled by the trigger, 2 with it and read otherwise, `selected` Uint8 (n) or null for all, `theme` {text, ground, attack, freed}. */
  dress(paint, ringed, selected, theme) {
    Object.assign(this, { paint, ringed, selected });
    if (JSON.stringify(theme) !== JSON.stringify(this.theme)) this.sprites.clear();
    this.theme = theme;
  }

  get radius() {
    const room = Math.min(this.host.clientWidth, this.host.clientHeight);
    const size = this.n > 6000 ? 2.3 : this.n > 3000 ? 2.8 : 3.4;
    return (room < 420 ? 0.8 : 1) * size * Math.min(2.2, Math.sqrt(Math.max(1, this.camera.zoom)));
  }

  // ---- drawing

  draw() {
    if (!this.places || !this.host.clientWidth) return;
    const { px, py, paint, ringed } = this;
    const context = this.#clear(this.canvas);
    const [width, height, radius] = [this.host.clientWidth, this.host.clientHeight, this.radius];
    project(this, width, height);
    const images = []; // by entry of the palette and ring
    let strength = 1;
    this.layers((k, alpha) => {
      const at = 3 * paint.key[k] + ringed[k];
      const image = (images[at] ||= this.#sprite(paint.palette[paint.key[k]], ringed[k], radius));
      const { half } = image;
      if (px[k] < -half || px[k] > width + half || py[k] < -half || py[k] > height + half) return;
      if (alpha !== strength) context.globalAlpha = strength = alpha;
      context.drawImage(image, px[k] - half, py[k] - half, 2 * half, 2 * half);
    });
    this.drawOver();
  }

  /** Calls `put(id, alpha)` for every point in the order of drawing: what is lit last, the triggered on top. */
  layers(put) {
    if (this.dims === 3) this.order.sort((a, b) => this.depth[a] - this.depth[b]);
    const lit = (k) => !this.selected || this.selected[k];
    if (this.selected) for (const k of this.order) if (!lit(k)) put(k, UNLIT);
    for (const k of this.order) if (lit(k) && !this.ringed[k]) put(k, 1);
    for (const k of this.order) if (lit(k) && this.ringed[k]) put(k, 1);
  }

  #sprite({ colour, shape }, ring, radius) {
    const name = `${colour}${shape}${ring}${radius.toFixed(1)}`;
    let image = this.sprites.get(name);
    if (image) return image;
    if (this.sprites.size > 400) this.sprites.clear();
    const ratio = devicePixelRatio || 1;
    image = document.createElement("canvas");
    image.half = radius * 1.25 + 2.5;
    image.width = image.height = Math.ceil(2 * image.half * ratio);
    const context = image.getContext("2d");
    context.scale(ratio, ratio);
    context.translate(image.half, image.half);
    const path = new Path2D(outline(shape, radius));
    context.fillStyle = colour;
    context.fill(path);
    context.strokeStyle = [this.theme.edge, this.theme.attack, this.theme.freed][ring];
    context.lineWidth = ring ? Math.max(1.3, radius * 0.45) : 0.6;
    context.stroke(path);
    this.sprites.set(name, image);
    return image;
  }

  /** The lasso, the points pointed at and chosen, and the lines to its neighbours: cheap, over the points. */
  drawOver() {
    if (!this.places) return;
    const context = this.#clear(this.over);
    const { theme, px, py, chosen, hovered } = this;
    if (chosen >= 0) {
      context.strokeStyle = theme.text;
      context.lineWidth = 1;
      context.globalAlpha = 0.55;
      context.beginPath();
      for (const k of this.links) {
        context.moveTo(px[chosen], py[chosen]);
        context.lineTo(px[k], py[k]);
      }
      context.stroke();
      context.globalAlpha = 1;
      this.#ring(context, chosen, 5.5, 2.5);
      this.links.forEach((k) => this.#ring(context, k, 1, 1));
    }
    if (hovered >= 0) this.#ring(context, hovered, 4, 1.75);
    drawVisitors(context, this);
    if (this.trail && this.trail.length > 1) {
      const path = new Path2D();
      this.trail.forEach(([x, y], k) => (k ? path.lineTo(x, y) : path.moveTo(x, y)));
      path.closePath();
      context.fillStyle = theme.text;
      context.globalAlpha = 0.07;
      context.fill(path);
      context.globalAlpha = 1;
      context.setLineDash([5, 4]);
      context.strokeStyle = theme.text;
      context.lineWidth = 1.25;
      context.stroke(path);
      context.setLineDash([]);
    }
  }

  #ring(context, k, more, width) {
    context.strokeStyle = this.theme.text;
    context.lineWidth = width;
    context.beginPath();
    context.arc(this.px[k], this.py[k], this.radius + more, 0, 2 * Math.PI);
    context.stroke();
  }

  #clear(canvas) {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [this.host.clientWidth, this.host.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  // ---- the reader's hand

  #listen() {
    const { host } = this;
    host.addEventListener("pointerdown", (event) => this.#down(event));
    host.addEventListener("pointermove", (event) => this.#move(event));
    host.addEventListener("pointerup", (event) => this.#up(event));
    host.addEventListener("pointercancel", () => this.#drop());
    host.addEventListener("pointerleave", () => this.held || this.point(-1));
    host.addEventListener("dblclick", () => this.reset());
    host.addEventListener("keydown", (event) => this.#key(event));
    host.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), this.#at(event));
    }, { passive: false });
  }

  #at(event) {
    const box = this.host.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #down(event) {
    if (event.button || !this.places) return;
    this.host.setPointerCapture(event.pointerId);
    const start = this.#at(event);
    this.held = { start, last: start, how: event.altKey ? "remove" : event.shiftKey ? "add" : "replace" };
    this.trail = this.tool === "move" ? null : [start];
    this.on.gesture(true);
  }

  #move(event) {
    if (!this.places) return;
    const at = this.#at(event);
    if (!this.held) return this.point(this.nearest(...at), ...at);
    const [dx, dy] = [at[0] - this.held.last[0], at[1] - this.held.last[1]];
    this.held.last = at;
    if (this.tool === "move") return this.#drag(dx, dy);
    const [x, y] = this.held.start;
    if (this.tool === "box") this.trail = [[x, y], [at[0], y], at, [x, at[1]]];
    else this.trail.push(at);
    this.drawOver();
  }

  #up(event) {
    const { held, trail } = this;
    if (!held) return;
    const at = this.#at(event);
    this.#drop();
    if (Math.hypot(at[0] - held.start[0], at[1] - held.start[1]) < CLICK && (!trail || trail.length < 6)) {
      const k = this.nearest(...at);
      if (k >= 0 && held.how !== "replace") this.on.select([k], held.how);
      else this.on.choose(k);
    } else if (trail && trail.length > 2) {
      this.on.select(inside(trail, this.px, this.py), held.how);
    }
  }

  #drop() {
    if (!this.held) return;
    this.held = this.trail = null;
    this.drawOver();
    this.on.gesture(false);
  }

  #drag(dx, dy) {
    const side = Math.min(this.host.clientWidth, this.host.clientHeight);
    if (this.dims === 3) {
      this.camera.yaw -= dx / 150;
      this.camera.pitch = Math.max(-1.57, Math.min(1.57, this.camera.pitch + dy / 150));
    } else {
      this.camera.x += dx / side;
      this.camera.y += dy / side;
    }
    this.on.moved();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      ArrowLeft: () => this.#drag(30, 0), ArrowRight: () => this.#drag(-30, 0),
      ArrowUp: () => this.#drag(0, 30), ArrowDown: () => this.#drag(0, -30),
      "+": () => this.zoom(1.3), "-": () => this.zoom(1 / 1.3), 0: () => this.reset(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }

  /** Nearer by a factor, around a place in the field. */
  zoom(factor, at = [this.host.clientWidth / 2, this.host.clientHeight / 2]) {
    const { camera } = this;
    const zoom = Math.max(0.5, Math.min(60, camera.zoom * factor));
    const grown = zoom / camera.zoom;
    const side = Math.min(this.host.clientWidth, this.host.clientHeight);
    const away = [(at[0] - this.host.clientWidth / 2) / side, (at[1] - this.host.clientHeight / 2) / side];
    camera.x = away[0] - (away[0] - camera.x) * grown;
    camera.y = away[1] - (away[1] - camera.y) * grown;
    camera.zoom = zoom;
    this.on.moved();
  }

  reset() {
    Object.assign(this.camera, camera());
    this.on.moved();
  }

  point(k, x = 0, y = 0) {
    if (k < 0 && this.hovered < 0) return;
    this.hovered = k;
    this.drawOver();
    if (k < 0) this.on.leave();
    else this.on.hover(k, x, y);
  }

  /** The point that is pointed at, the lit ones first; -1 if there is none. */
  nearest(x, y) {
    let [best, least] = [-1, NEAR * NEAR];
    for (let k = 0; k < this.n; k++) {
      const far = (this.px[k] - x) ** 2 + (this.py[k] - y) ** 2;
      if (far < least && (!this.selected || this.selected[k] || far < 16)) [best, least] = [k, far];
    }
    return best;
  }
}
