/** The lines around the groups of a cluster, in pixels: where a field of distances to the points crosses `reach`. */

const CELLS = 3; // of the field, per reach
const SCATTERED = 0.04; // share of the points below which a group is strays, and gets no line

/**
 * One closed line per group, the largest group first, each at about `reach` pixels from its outermost points. Points
 * closer than twice that are one group. Points in no group of note are left outside.
 */
export function outlines(points, reach) {
  if (!points.length) return [];
  const field = smooth(smooth(distances(points, reach)));
  const loops = contours(field, reach).filter((loop) => area(loop) > 0); // the others run around holes
  const least = Math.max(3, SCATTERED * points.length);
  return loops
    .map((loop) => [points.filter((p) => within(p, loop)).length, loop])
    .filter(([count]) => count >= least)
    .sort((a, b) => b[0] - a[0])
    .map(([, loop]) => loop);
}

/** An SVG path along the closed lines. */
export function pathOf(loops) {
  return loops.map((loop) => `M${loop.map((p) => `${p[0].toFixed(1)},${p[1].toFixed(1)}`).join("L")}Z`).join("");
}

/** Distance to the nearest point at the nodes of a grid around all points, as far as it matters. */
function distances(points, reach) {
  const far = 1.5 * reach;
  const cell = reach / CELLS;
  const [left, top, right, bottom] = points.reduce(
    (box, [x, y]) => [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)],
    [Infinity, Infinity, -Infinity, -Infinity],
  );
  const [x0, y0] = [left - far - cell, top - far - cell];
  const across = Math.ceil((right + far - x0) / cell) + 2;
  const down = Math.ceil((bottom + far - y0) / cell) + 2;
  const value = new Float32Array(across * down).fill(far * far);
  const span = Math.ceil(far / cell);
  for (const [x, y] of points) {
    const [i, j] = [Math.round((x - x0) / cell), Math.round((y - y0) / cell)];
    for (let b = Math.max(0, j - span); b <= Math.min(down - 1, j + span); b++) {
      for (let a = Math.max(0, i - span); a <= Math.min(across - 1, i + span); a++) {
        const square = (x0 + a * cell - x) ** 2 + (y0 + b * cell - y) ** 2;
        if (square < value[b * across + a]) value[b * across + a] = square;
      }
    }
  }
  return { value: value.map(Math.sqrt), across, down, cell, x0, y0 };
}

/** Each node becomes the mean of itself and its neighbours: scallops between the points are evened out. */
function smooth(field) {
  const { value, across, down } = field;
  const out = value.slice();
  for (let b = 1; b < down - 1; b++) {
    for (let a = 1; a < across - 1; a++) {
      const k = b * across + a;
      out[k] = (4 * value[k] + 2 * (value[k - 1] + value[k + 1] + value[k - across] + value[k + across])
        + value[k - across - 1] + value[k - across + 1] + value[k + across - 1] + value[k + across + 1]) / 16;
    }
  }
  return { ...field, value: out };
}

/** Where the field crosses `level`, as closed lines with the lower side on their right (marching squares). */
function contours({ value, across, down, cell, x0, y0 }, level) {
  const next = new Map(); // from the grid edge where the line enters a cell to the one where it leaves
  const place = new Map();
  const cross = (k, other) => {
    const edge = Math.min(k, other) * 2 + (Math.abs(k - other) === 1 ? 0 : 1);
    if (!place.has(edge)) {
      const part = (level - value[k]) / (value[other] - value[k]);
      const at = (node) => [x0 + (node % across) * cell, y0 + Math.floor(node / across) * cell];
      const [[ax, ay], [bx, by]] = [at(k), at(other)];
      place.set(edge, [ax + part * (bx - ax), ay + part * (by - ay)]);
    }
    return edge;
  };
  for (let b = 0; b < down - 1; b++) {
    for (let a = 0; a < across - 1; a++) {
      const k = b * across + a;
      const corners = [k, k + 1, k + 1 + across, k + across];
      const inside = corners.map((node) => value[node] < level);
      // walk round the cell: a line enters where the corners go from inside to outside, and leaves where they come back
      for (let c = 0; c < 4; c++) {
        if (!inside[c] || inside[(c + 1) % 4]) continue;
        let d = (c + 1) % 4;
        while (!inside[(d + 1) % 4]) d = (d + 1) % 4;
        next.set(cross(corners[c], corners[(c + 1) % 4]), cross(corners[d], corners[(d + 1) % 4]));
      }
    }
  }
  const loops = [];
  while (next.size) {
    const start = next.keys().next().value;
    const loop = [];
    for (let edge = start; next.has(edge);) {
      loop.push(place.get(edge));
      const following = next.get(edge);
      next.delete(edge);
      edge = following;
    }
    loops.push(loop);
  }
  return loops;
}

/** Signed: above 0 for a line around a group, below 0 around a hole. */
function area(loop) {
  let sum = 0;
  loop.forEach(([x, y], k) => {
    const [nx, ny] = loop[(k + 1) % loop.length];
    sum += x * ny - nx * y;
  });
  return sum;
}

function within([x, y], loop) {
  let odd = false;
  loop.forEach(([ax, ay], k) => {
    const [bx, by] = loop[(k + 1) % loop.length];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) odd = !odd;
  });
  return odd;
}
