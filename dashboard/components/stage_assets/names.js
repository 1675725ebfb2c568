/** The classes' names on the map: each nearest to its own points, where it covers fewest, and never on another name. */

import { targetOf } from "./decode.js";

const EDGE = 0.1; // share of a class's points beyond each edge of the box that a name stands beside
const AWAY = 3; // pixels between that box and the name
const GAP = 2; // pixels between two names
const CELL = 6; // pixels: points are counted by cells
const FAR = 0.15; // points that a name would rather cover than stand a pixel further from its class's middle
const SHARES = [0.05, 0.25]; // of a group's points, the nearest to a name: its edge without strays, and its bulk
const INSIDE = 4; // points that a name would rather cover than cross the line around the cluster
const STAY = 8; // points by which another place must be better: names do not hop about while points move
const ROOM = 2; // points that a name may cover; one that would cover more, or cross the line, is left to the legend
const LINGER = 4; // more that pass under a name that is there before it goes: none flickers

/** Where points lie, by cells; `at`: x0, y0, x1, y1 ... in pixels. Returns how many of them lie in a box. */
export function crowdOf(at, width, height) {
  const [across, down] = [Math.ceil(width / CELL) + 1, Math.ceil(height / CELL) + 1];
  const counts = new Uint16Array(across * down);
  for (let k = 0; k < at.length; k += 2) {
    const [i, j] = [Math.floor(at[k] / CELL), Math.floor(at[k + 1] / CELL)];
    if (i >= 0 && j >= 0 && i < across && j < down) counts[j * across + i]++; // of a point that is nowhere, nothing is
  }
  return ([left, top, right, bottom]) => {
    let sum = 0;
    for (let j = Math.max(0, Math.floor(top / CELL)); j <= Math.min(down - 1, Math.floor(bottom / CELL)); j++) {
      for (let i = Math.max(0, Math.floor(left / CELL)); i <= Math.min(across - 1, Math.floor(right / CELL)); i++) sum += counts[j * across + i];
    }
    return sum;
  };
}

/** The boxes in which a name of that size may stand: above, below, beside its class, at its corners, upon it, or further off. */
export function placesOf([x, y], [left, top, right, bottom], [wide, high]) {
  const [mid, level] = [x - wide / 2, y - high / 2];
  const [above, below, before, behind] = [top - high - AWAY, bottom + AWAY, left - wide - AWAY, right + AWAY];
  const beside = [[mid, above], [mid, below], [behind, level], [before, level], [behind, above], [before, above], [behind, below], [before, below]];
  const spots = [...beside, [mid, level], [mid, above - high], [mid, below + high], [behind, above - high], [before, below + high]];
  return spots.map(([from, to]) => [from, to, from + wide, to + high]);
}

/** How far a point lies from a box, in pixels; 0 within. */
function off([left, top, right, bottom], x, y) {
  return Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
}

/**
 * Whether a box stands nearest to group `k`, by the edge of every group and by its bulk: a name there is read as the
 * name of that group. `groups`: of each the places of its points, x0, y0, x1, y1 ...
 */
export function nearestOf(groups) {
  const counted = groups.map((at) => SHARES.map((share) => Math.max(1, Math.ceil((share * at.length) / 2))));
  return (box, k) => {
    const own = Float32Array.from({ length: groups[k].length / 2 }, (_, i) => off(box, groups[k][2 * i], groups[k][2 * i + 1])).sort();
    const reach = counted[k].map((count) => own[count - 1]);
    return groups.every((at, other) => {
      const nearer = SHARES.map(() => 0);
      for (let i = 0; i < at.length && other !== k; i += 2) {
        const away = off(box, at[i], at[i + 1]);
        reach.forEach((far, share) => (nearer[share] += away < far));
      }
      return nearer.every((count, share) => count < counted[other][share]);
    });
  };
}

/**
 * One box per group, null for a name that finds no room, or none where its own points are the nearest. The first groups
 * keep their places. A name has room where it covers next to no points: a narrow map has it for few names, a wide one for
 * nearly all.
 * `groups`: {middle, box, size, kept (index of the place that it had), shown (is there), must (covers points rather than
 * be left out)}; `nearest(box, k)`; returns [{box, kept}].
 */
export function arranged(groups, crowd, nearest, width, height) {
  const taken = [];
  const fits = ([l, t, r, b]) => l >= 0 && t >= 0 && r <= width && b <= height;
  const free = (box) => taken.every(([l, t, r, b]) => box[2] + GAP < l || box[0] - GAP > r || box[3] < t || box[1] > b);
  return groups.map(({ middle, box, size, kept, shown, must }, group) => {
    const room = must ? Infinity : ROOM + (shown ? LINGER : 0);
    const away = (one) => FAR * Math.hypot((one[0] + one[2]) / 2 - middle[0], (one[1] + one[3]) / 2 - middle[1]);
    const places = placesOf(middle, box, size).map((one, k) => ({ box: one, kept: k, covered: crowd(one) }));
    const open = places.filter((place) => fits(place.box) && free(place.box) && place.covered <= room);
    for (const place of open) place.cost = place.covered + away(place.box) - (place.kept === kept ? STAY : 0);
    const best = open.sort((a, b) => a.cost - b.cost).find((place) => nearest(place.box, group));
    if (best) taken.push(best.box);
    return best || { box: null, kept };
  });
}

export class ClassNames {
  constructor(node) {
    this.node = node;
    this.groups = [];
    this.named = null;
  }

  /** A name for each class that has clean points, the target first, then the largest class: the first keep their place. */
  make(payload, clean, flat) {
    const { classes, labels, marks } = payload;
    const members = classes.map(() => []);
    for (const k of clean) members[labels[k]].push(k);
    const groups = members.map((ids, label) => ({ label, ids })).filter(({ ids }) => ids.length);
    const target = targetOf(payload);
    const rank = ({ label, ids }) => (label === target ? Infinity : ids.length);
    groups.sort((a, b) => rank(b) - rank(a));
    for (const group of groups) {
      group.must = group.label === target; // the class that the attack leads to
      const dot = Object.assign(document.createElement("i"), { ariaHidden: "true" });
      dot.style.background = marks[group.label][0];
      group.node = document.createElement("span");
      group.node.append(dot, classes[group.label]);
    }
    this.groups = flat ? groups : [];
    this.node.replaceChildren(...this.groups.map(({ node }) => node));
    this.named = null;
  }

  /** Takes the middle of each class in a frame, a point of it that travels along, and the box around most of it. */
  take(coords, frame) {
    if (this.named === frame) return;
    this.named = frame;
    for (const group of this.groups) {
      const sorted = [0, 1].map((axis) => group.ids.map((k) => coords[2 * k + axis]).filter(Number.isFinite).sort((a, b) => a - b));
      const part = (axis, share) => sorted[axis][Math.round(share * (sorted[axis].length - 1))];
      const off = (k) => (coords[2 * k] - part(0, 0.5)) ** 2 + (coords[2 * k + 1] - part(1, 0.5)) ** 2;
      group.at = group.ids.reduce((best, k) => (off(k) < off(best) ? k : best));
      const own = [coords[2 * group.at], coords[2 * group.at + 1]];
      group.around = [EDGE, 1 - EDGE].map((share) => [0, 1].map((axis) => part(axis, share) - own[axis]));
    }
  }

  /**
   * Puts the names; `at`: all points in pixels, `unit`: pixels of one step to the right, and of one up; `cluster`: ids of
   * a group that has no name but a line around it, `reach` pixels off.
   */
  place(at, unit, { ids: cluster, reach }, width, height) {
    if (!this.groups.length) return;
    const lying = (ids) => Float32Array.from({ length: 2 * ids.length }, (_, i) => at[2 * ids[i >> 1] + (i & 1)]);
    const outlined = lying(cluster);
    const [points, inside] = [crowdOf(at, width, height), crowdOf(outlined, width, height)];
    const crowd = ([left, top, right, bottom]) => points([left, top, right, bottom]) + Math.min(INSIDE, inside([left - reach, top - reach, right + reach, bottom + reach]));
    const nearest = nearestOf([...this.groups.map(({ ids }) => lying(ids)), outlined]);
    const told = this.groups.map((group) => {
      group.size ||= [group.node.offsetWidth, group.node.offsetHeight];
      const [x, y] = [at[2 * group.at], at[2 * group.at + 1]];
      const [[left, low], [right, high]] = group.around;
      const box = [x + left * unit[0], y - high * unit[1], x + right * unit[0], y - low * unit[1]];
      return { middle: [x, y], box, size: group.size, kept: group.kept, shown: group.shown, must: group.must };
    });
    arranged(told, crowd, nearest, width, height).forEach(({ box, kept }, k) => {
      const group = this.groups[k];
      group.kept = kept;
      group.shown = Boolean(box);
      group.node.style.visibility = box ? "" : "hidden";
      if (box) group.node.style.transform = `translate(${box[0].toFixed(1)}px, ${box[1].toFixed(1)}px)`;
    });
  }
}
