/** Pictures on a map that are no points of it: each beside its place, with a line to it; one leads to the next. */

import { beside, project } from "./shapes.js";

/** Where the guests of a PointMap are in its field, and the pictures beside them: [{x, y, left, top, wide, high, picture, colour}]. */
export function visitors({ guests, dims, box, camera, host }) {
  if (!guests.length) return [];
  const n = guests.length;
  const [width, height] = [host.clientWidth, host.clientHeight];
  const places = Float32Array.from(guests.flatMap((guest) => [...guest.places]));
  const [px, py, depth] = [0, 1, 2].map(() => new Float32Array(n));
  project({ places, dims, box, n, px, py, depth, camera }, width, height);
  const spots = guests.map((_, at) => [px[at], py[at]]);
  const frames = beside(spots, guests.map(({ picture }) => picture), width, height);
  return guests.map((guest, at) => ({ x: px[at], y: py[at], ...frames[at], ...guest }));
}

export function drawVisitors(context, map) {
  const { radius, theme } = map;
  const shown = visitors(map);
  context.strokeStyle = theme.text;
  context.lineWidth = 1.5;
  context.setLineDash([2, 4]);
  shown.slice(1).forEach(({ x, y }, at) => strokeLine(context, [shown[at].x, shown[at].y], [x, y]));
  context.setLineDash([]);
  for (const { x, y, left, top, wide, high, picture, colour } of shown) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 2;
    strokeLine(context, [x, y], [left + wide / 2, top + high / 2]);
    context.drawImage(picture, left, top, wide, high);
    context.lineWidth = 3;
    context.strokeRect(left, top, wide, high);
    context.beginPath();
    context.arc(x, y, radius + 2, 0, 2 * Math.PI);
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = theme.ground;
    context.stroke();
  }
}

function strokeLine(context, from, to) {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}
