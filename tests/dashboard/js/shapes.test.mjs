import assert from "node:assert/strict";
import test from "node:test";

import { inside, outline, project } from "../../../dashboard/components/explore_assets/shapes.js";

const still = { zoom: 1, x: 0, y: 0, yaw: 0, pitch: 0 };
const field = (places, dims, camera = still) => {
  const n = places.length / dims;
  const axis = (k) => places.filter((_, i) => i % dims === k);
  const box = { low: [...Array(dims).keys()].map((k) => Math.min(...axis(k))), high: [...Array(dims).keys()].map((k) => Math.max(...axis(k))) };
  return { places, dims, box, n, px: new Float32Array(n), py: new Float32Array(n), depth: new Float32Array(n), camera };
};

test("in two dimensions all points are in the field, up is up, and it is filled without much stretching", () => {
  const map = field([0, 0, 4, 0, 4, 2], 2);
  project(map, 400, 300);
  for (const [values, most] of [[map.px, 400], [map.py, 300]]) for (const v of values) assert.ok(v >= 0 && v <= most);
  assert.ok(map.py[2] < map.py[1], "a larger y is higher");
  assert.ok(Math.abs(map.px[1] - map.px[0] - 360) < 1e-3 && Math.abs(map.py[1] - map.py[2] - 270) < 1e-3, "a stretch of 1.5");
  const flat = field([0, 0, 9, 0, 9, 1], 2);
  project(flat, 400, 300);
  assert.ok(Math.abs((flat.px[1] - flat.px[0]) / (flat.py[1] - flat.py[2]) - 9 / 1.6) < 1e-3);
});

test("in three dimensions every corner of the box stays in the field however it is turned", () => {
  const corners = [0, 1].flatMap((a) => [0, 1].flatMap((b) => [0, 1].flatMap((c) => [a, b, c])));
  for (const yaw of [0, 0.8, 2.4]) {
    for (const pitch of [0, 0.6, 1.5]) {
      const map = field(corners, 3, { ...still, yaw, pitch });
      project(map, 320, 320);
      for (const v of [...map.px, ...map.py]) assert.ok(v >= 0 && v <= 320, `${v} at ${yaw}, ${pitch}`);
    }
  }
});

test("a lasso holds what lies inside, also where it turns in on itself", () => {
  const px = Float32Array.of(5, 15, 5, 40), py = Float32Array.of(5, 5, 15, 40);
  assert.deepEqual(inside([[0, 0], [20, 0], [20, 20], [0, 20]], px, py), [0, 1, 2]);
  const hook = [[0, 0], [20, 0], [20, 10], [10, 10], [10, 20], [0, 20]];
  assert.deepEqual(inside(hook, px, py), [0, 1, 2]);
  assert.deepEqual(inside(hook, Float32Array.of(15), Float32Array.of(15)), []);
});

test("every shape is a closed path", () => {
  for (const shape of ["circle", "square", "diamond", "cross", "x"]) assert.match(outline(shape, 5), /^M.*Z$/);
});
