/** The curves over the steps, as SVG, with the play head on them. */

import { themed } from "./theme.js";

const LINES = ["dissolution", "ba", "asr"]; // in the order of the figure's traces
const CURVES_CONFIG = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false };

export class Curves {
  /** `parts`: host, head (an SVG group with a line and three dots), shade nodes; `seek(frame)`, `hold(on)`. */
  constructor(parts, { seek, hold }) {
    this.parts = parts;
    this.position = 0;
    this.#listen(seek, hold);
  }

  #listen(seek, hold) {
    const surface = this.parts.surface;
    const follow = (event) => {
      const frame = this.#frameAt(event.clientX);
      if (frame !== null) seek(frame);
    };
    surface.addEventListener("pointerdown", (event) => {
      surface.setPointerCapture(event.pointerId);
      hold(true);
      follow(event);
    });
    surface.addEventListener("pointermove", (event) => {
      if (surface.hasPointerCapture(event.pointerId)) follow(event);
    });
  }

  #axes() {
    const layout = this.parts.host._fullLayout;
    return layout && layout.xaxis && layout.xaxis._length ? layout : null;
  }

  #frameAt(clientX) {
    const layout = this.#axes();
    if (!layout || !this.metrics.length) return null;
    const x = clientX - this.parts.host.getBoundingClientRect().left - layout.xaxis._offset;
    const gaps = this.metrics.map((row) => Math.abs(layout.xaxis.l2p(row.step) - x));
    return gaps.indexOf(Math.min(...gaps));
  }

  async draw(Plotly, payload, theme) {
    this.Plotly = Plotly;
    this.metrics = payload.metrics;
    const { data, layout } = structuredClone(payload.figures.curves);
    data.forEach((trace, k) => (trace.line.color = theme.lines[k]));
    const last = this.metrics.length ? this.metrics[this.metrics.length - 1].step : 0;
    const spread = themed(layout, theme);
    spread.xaxis = { ...spread.xaxis, range: [-0.02 * Math.max(last, 1), 1.01 * Math.max(last, 1)] };
    await Plotly.react(this.parts.host, data, spread, CURVES_CONFIG);
    this.head(this.position);
  }

  /** Puts the play head at `position`, between two frames on the line between their figures. */
  head(position) {
    this.position = position;
    const layout = this.#axes();
    const group = this.parts.head;
    group.style.display = layout && this.metrics.length ? "" : "none";
    if (!layout || !this.metrics.length) return;
    const { xaxis, yaxis } = layout;
    const at = (name) => interpolate(this.metrics, name, position);
    const x = xaxis._offset + xaxis.l2p(at("step"));
    const [top, bottom] = [yaxis._offset, yaxis._offset + yaxis._length];
    const [line, ...dots] = group.children;
    setAll(line, { x1: x, x2: x, y1: top, y2: bottom });
    LINES.forEach((name, k) => {
      const value = at(name);
      dots[k].style.display = value === null ? "none" : "";
      if (value !== null) setAll(dots[k], { cx: x, cy: yaxis._offset + yaxis.l2p(value) });
    });
    const right = xaxis._offset + xaxis._length;
    setAll(this.parts.shade, { x, y: top, width: Math.max(0, right - x + 2), height: Math.max(0, bottom - top) });
  }

  resize() {
    if (!this.Plotly || !this.parts.host.clientWidth) return;
    this.Plotly.Plots.resize(this.parts.host).then(() => this.head(this.position));
  }

  destroy() {
    if (this.Plotly) this.Plotly.purge(this.parts.host);
    this.Plotly = null;
  }
}

function interpolate(metrics, name, position) {
  const k = Math.min(metrics.length - 1, Math.floor(position));
  const [now, next] = [metrics[k][name], metrics[Math.min(metrics.length - 1, k + 1)][name]];
  return now === null || next === null ? now : now + (next - now) * (position - k);
}

function setAll(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}
