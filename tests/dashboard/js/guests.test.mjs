import assert from "node:assert/strict";
import test from "node:test";

import { beside } from "../../../dashboard/components/explore_assets/shapes.js";
import { between, guestsOf, widened } from "../../../dashboard/components/explore_assets/guests.js";
import { Room } from "../../../dashboard/components/explore_assets/room.js";

const OWN = {
  id: "one", map: "settled:a", models: 2, variants: 2,
  coords: [[[0, 0], [10, 4]], [[2, 0], [2, 2]]], answers: [[3, 5], [3, 3]],
};
const HERE = { id: "settled:a" };

test("a picture goes with time from its place before to its place after, and stays where nothing is known of after", () => {
  assert.deepEqual([...between(OWN, 0, 1)], [10, 4]);
  assert.deepEqual([...between(OWN, 0.5, 1)], [6, 3]);
  assert.deepEqual([...between(OWN, 1, 1)], [2, 2]);
  assert.deepEqual([...between({ ...OWN, models: 1, coords: OWN.coords.slice(0, 1) }, 1, 1)], [10, 4]);
});

test("it counts as misled only where the trigger leads to the target, and the picture alone does not", () => {
  const states = (own, position, target) => guestsOf(own, HERE, position, 1, target).map(({ state }) => state);
  assert.deepEqual(states(OWN, 0, 5), ["plain", "misled"]);
  assert.deepEqual(states(OWN, 1, 5), ["plain", "freed"]);
  assert.deepEqual(states(OWN, 0, 4), ["plain", "freed"]);
  assert.deepEqual(states({ ...OWN, answers: [[5, 5], [5, 5]] }, 0, 5), ["plain", "freed"]);
});

test("it is shown on its own map alone, and without the trigger where none is wanted", () => {
  assert.deepEqual(guestsOf(OWN, { id: "umap-2" }, 0, 1, 5), []);
  assert.deepEqual(guestsOf(OWN, HERE, 0, 0, 5).map(({ state }) => state), ["plain"]);
  assert.deepEqual(guestsOf(null, HERE, 0, 1, 5), []);
});

test("a map's box grows until it holds the picture at every time", () => {
  const box = () => ({ low: [1, 1], high: [3, 3] });
  assert.deepEqual(widened(box(), OWN, HERE), { low: [0, 0], high: [10, 4] });
  assert.deepEqual(widened(box(), OWN, { id: "umap-2" }), box());
});

test("pictures stand to either side of their places, inside the field, whichever comes first", () => {
  const square = { width: 32, height: 32 };
  for (const places of [[[100, 100], [140, 110]], [[140, 110], [100, 100]], [[100, 100], [100, 100]], [[1, 1], [399, 399]]]) {
    const [a, b] = beside(places, [square, square], 400, 400);
    assert.ok(a.left + a.wide <= b.left || b.left + b.wide <= a.left, JSON.stringify([places, a, b]));
    for (const { left, top, wide, high } of [a, b]) assert.ok(left >= 0 && top >= 0 && left + wide <= 400 && top + high <= 400);
  }
  assert.deepEqual(beside([], [], 400, 400), []);
});

test("a search lights up the points of the classes it finds; without one they stay as they are", () => {
  const room = new Room({ points: 5, frames: [{ answers: [1, 1, 1, 0, 0] }], labels: [0, 1, 2, 0, 1] });
  assert.deepEqual([...room.lit(new Set([0, 2]), 0)], [1, 0, 1, 1, 0]);
  assert.equal(room.lit(new Set(), 0), null);
  assert.equal(room.lit(null, 0), null);
  room.mode = "answer";
  assert.deepEqual([...room.lit(new Set([0]), 0)], [0, 0, 0, 1, 1]);
});
