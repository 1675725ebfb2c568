/** Geometry of the map: where points are, their marks, and what lies inside a lasso. */

const AIR = 0.9; // the share of the field that the points fill
const STRETCH = 1.6; // at most so much wider than high, or higher than wide, a flat map is drawn: its axes have no unit

/** Writes where every point of a map (places, dims, box, camera) is in a field of that size into its px, py and depth. */
export function project({ places, dims, box, n, px, py, depth, camera }, width, height) {
  const { zoom, x, y, yaw, pitch } = camera;
  const middle = box.low.map((low, axis) => (low + box.high[axis]) / 2);
  const spans = box.low.map((low, axis) => Math.max(1e-9, box.high[axis] - low));
  const side = Math.min(width, height);
  const [left, top] = [width / 2 + x * side, height / 2 + y * side];
  if (dims === 2) {
    const [across, up] = [(AIR * zoom * width) / spans[0], (AIR * zoom * height) / spans[1]];
    const scale = [Math.min(across, STRETCH * up), Math.min(up, STRETCH * across)];
    for (let k = 0; k < n; k++) {
      px[k] = left + (places[2 * k] - middle[0]) * scale[0];
      py[k] = top - (places[2 * k + 1] - middle[1]) * scale[1];
    }
    return;
  }
  const scale = (AIR * zoom * side) / Math.hypot(...spans); // however it is turned, no corner of the box leaves the field
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  for (let k = 0; k < n; k++) {
    const [a, b, c] = [places[3 * k] - middle[0], places[3 * k + 1] - middle[1], places[3 * k + 2] - middle[2]];
    const [across, into] = [cy * a + sy * b, cy * b - sy * a];
    px[k] = left + across * scale;
    py[k] = top - (cp * c + sp * into) * scale;
    depth[k] = sp * c - cp * into;
  }
}

const APART = 16; // pixels from a place to the picture that shows what lies there

/** Where pictures stand beside their places [[x, y], ...]: one to either side, inside the field. */
export function beside(places, pictures, width, height) {
  const wide = Math.min(width, height) < 300 ? 26 : 34;
  const first = Math.min(...places.map(([x]) => x));
  return places.map(([x, y], at) => {
    const high = (wide * pictures[at].height) / pictures[at].width;
    const leftmost = x === first && places.findIndex((place) => place[0] === first) === at;
    const left = Math.max(4, Math.min(width - wide - 4, leftmost ? x - APART - wide : x + APART));
    const top = Math.max(4, Math.min(height - high - 4, y - APART - high));
    return { left, top, wide, high };
  });
}

/** A mark of that radius around 0, 0, as an SVG path. */
export function outline(shape, r) {
  const [q, t] = [r * 0.88, r * 0.36];
  const cross = `M${-r} ${-t}H${-t}V${-r}H${t}V${-t}H${r}V${t}H${t}V${r}H${-t}V${t}H${-r}Z`;
  const d = r * 0.72;
  return {
    circle: `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`,
    square: `M${-q} ${-q}H${q}V${q}H${-q}Z`,
    diamond: `M0 ${-r * 1.2}L${r * 1.2} 0L0 ${r * 1.2}L${-r * 1.2} 0Z`,
    cross,
    x: `M0 ${-t}L${d - t} ${-d}L${d} ${-d + t}L${t} 0L${d} ${d - t}L${d - t} ${d}L0 ${t}L${-d + t} ${d}L${-d} ${d - t}L${-t} 0L${-d} ${-d + t}L${-d + t} ${-d}Z`,
  }[shape];
}

/** The numbers of the points (px, py) inside a closed line [[x, y], ...]: an odd number of its edges lies to their right. */
export function inside(line, px, py) {
  const ids = [];
  const [xs, ys] = [line.map((p) => p[0]), line.map((p) => p[1])];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  for (let k = 0; k < px.length; k++) {
    const [x, y] = [px[k], py[k]];
    if (!(x >= left && x <= right && y >= top && y <= bottom)) continue;
    let within = false;
    for (let a = 0, b = line.length - 1; a < line.length; b = a++) {
      if (ys[a] > y !== ys[b] > y && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) within = !within;
    }
    if (within) ids.push(k);
  }
  return ids;
}
