import assert from "node:assert/strict";
import test from "node:test";

import { outlines, pathOf } from "../../../dashboard/components/stage_assets/outline.js";

const heap = (x, y, n) => Array.from({ length: n }, (_, k) => [x + (k % 5), y + Math.floor(k / 5)]);

test("one line around a heap, about reach away from its outermost points", () => {
  const [loop, ...more] = outlines(heap(100, 100, 25), 12);
  assert.deepEqual(more, []);
  const xs = loop.map((p) => p[0]);
  assert.ok(Math.abs(Math.min(...xs) - 88) < 4, `left ${Math.min(...xs)}`);
  assert.ok(Math.abs(Math.max(...xs) - 116) < 4, `right ${Math.max(...xs)}`);
});

test("the larger of two heaps comes first, and points close together are one", () => {
  const loops = outlines([...heap(0, 0, 10), ...heap(300, 0, 25)], 10);
  assert.equal(loops.length, 2);
  assert.ok(loops[0][0][0] > 200);
  assert.equal(outlines([...heap(0, 0, 10), ...heap(12, 0, 10)], 10).length, 1);
});

test("strays get no line, and nothing gives none", () => {
  assert.equal(outlines([...heap(0, 0, 60), [500, 500]], 10).length, 1);
  assert.deepEqual(outlines([], 10), []);
});

test("a path is closed and has a point for each corner", () => {
  assert.equal(pathOf([[[0, 0], [1, 0], [1, 1.25]]]), "M0.0,0.0L1.0,0.0L1.0,1.3Z");
  assert.equal(pathOf([]), "");
});
