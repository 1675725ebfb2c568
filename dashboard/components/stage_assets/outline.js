/** The line around a cluster, in pixels. */

const PADDING = 16; // pixels between the outermost points and the line
const OUTLIERS = 0.03; // share of points, furthest from the middle, that the line need not hold

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

function withoutOutliers(points) {
  if (points.length < 8) return points;
  const x = median(points.map((p) => p[0]));
  const y = median(points.map((p) => p[1]));
  const far = points.map((p) => [(p[0] - x) ** 2 + (p[1] - y) ** 2, p]).sort((a, b) => a[0] - b[0]);
  return far.slice(0, Math.ceil(far.length * (1 - OUTLIERS))).map(([, p]) => p);
}

/** Convex hull, counter-clockwise (Andrew's monotone chain). */
export function hull(points) {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  if (sorted.length < 3) return sorted;
  const turn = (o, a, b) => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
  const half = (list) => {
    const chain = [];
    for (const p of list) {
      while (chain.length > 1 && turn(chain[chain.length - 2], chain[chain.length - 1], p) <= 0) chain.pop();
      chain.push(p);
    }
    chain.pop();
    return chain;
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

/** The hull of the points' bulk, widened by the padding, its corners rounded. */
export function outline(points) {
  const around = [];
  for (const [x, y] of hull(withoutOutliers(points))) {
    for (let k = 0; k < 16; k++) {
      around.push([x + PADDING * Math.cos((k * Math.PI) / 8), y + PADDING * Math.sin((k * Math.PI) / 8)]);
    }
  }
  return hull(around);
}

/** An SVG path through the points, closed. */
export function pathOf(points) {
  return points.length ? `M${points.map((p) => `${p[0].toFixed(1)},${p[1].toFixed(1)}`).join("L")}Z` : "";
}
