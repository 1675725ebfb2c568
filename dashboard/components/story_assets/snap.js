/** Where a sticker comes to lie: near the spot where it works best it is drawn onto it, as by a magnet. */

export const REACH = 3; // pixels of the network's picture: nearer than this, a hand meant the spot

const far = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/** The place of a sticker that a hand holds at `at`: `spot` itself from close by. Places are {x, y} of its corner. */
export function drawn(at, spot) {
  return far(at, spot) <= REACH ? { ...spot } : at;
}

/** The place after a step by keyboard from `from` to `to`: it is drawn to `spot` on its way there, never back again. */
export function stepped(from, to, spot) {
  return far(to, spot) < far(from, spot) ? drawn(to, spot) : to;
}

/** Whether a sticker lies on the spot, to within what the network's picture can show. */
export function lies(at, spot) {
  return far(at, spot) < 0.25;
}
