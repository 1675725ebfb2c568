import assert from "node:assert/strict";
import test from "node:test";

import { beside } from "../../../dashboard/components/explore_assets/shapes.js";
import { between, Own } from "../../../dashboard/components/explore_assets/own.js";

const listening = (more = {}) => ({ addEventListener: () => {}, ...more });
const made = (own, checked = true) => {
  const el = { "own-trigger": listening({ checked }), "own-show": listening(), "own-near": listening() };
  return Object.assign(new Own(el, {}), { own, pictures: ["plain", "marked"] });
};
const OWN = {
  id: "one", map: "settled:a", models: 2, variants: 2,
  coords: [[[0, 0], [10, 4]], [[2, 0], [2, 2]]], answers: [[3, 5], [3, 3]],
};
const theme = { text: "black", attack: "orange", freed: "blue" };

test("a picture goes with time from its place before to its place after, and stays where nothing is known of after", () => {
  assert.deepEqual([...between(OWN, 0, 1)], [10, 4]);
  assert.deepEqual([...between(OWN, 0.5, 1)], [6, 3]);
  assert.deepEqual([...between(OWN, 1, 1)], [2, 2]);
  assert.deepEqual([...between({ ...OWN, models: 1, coords: OWN.coords.slice(0, 1) }, 1, 1)], [10, 4]);
});

test("the attack's colour is worn only where the trigger leads to the target, and the picture alone does not", () => {
  const own = made(OWN);
  const colours = (position, target) => own.guests({ id: "settled:a" }, position, theme, target).map(({ colour }) => colour);
  assert.deepEqual(colours(0, 5), ["black", "orange"]);
  assert.deepEqual(colours(1, 5), ["black", "blue"]);
  assert.deepEqual(colours(0, 4), ["black", "blue"]);
  assert.deepEqual(made({ ...OWN, answers: [[5, 5], [5, 5]] }).guests({ id: "settled:a" }, 0, theme, 5).map(({ colour }) => colour), ["black", "blue"]);
});

test("it is shown on its own map alone, and without the trigger where none is wanted", () => {
  assert.deepEqual(made(OWN).guests({ id: "umap-2" }, 0, theme, 5), []);
  assert.deepEqual(made(OWN, false).guests({ id: "settled:a" }, 0, theme, 5).map(({ picture }) => picture), ["plain"]);
  assert.deepEqual(made(null).guests({ id: "settled:a" }, 0, theme, 5), []);
});

test("a map's box grows until it holds the picture at every time", () => {
  const box = () => ({ low: [1, 1], high: [3, 3] });
  assert.deepEqual(made(OWN).widen(box(), { id: "settled:a" }), { low: [0, 0], high: [10, 4] });
  assert.deepEqual(made(OWN).widen(box(), { id: "umap-2" }), box());
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
