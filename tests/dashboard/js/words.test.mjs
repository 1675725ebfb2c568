import assert from "node:assert/strict";
import test from "node:test";

import { change, figure, fill, tally } from "../../../dashboard/components/stage_assets/words.js";

test("a sentence is filled, and what is not given stays to be seen", () => {
  assert.equal(fill("{a} of {b}, {c}", { a: 0, b: "ten" }), "0 of ten, {c}");
});

test("figures have their digits, and a dash where there is none", () => {
  assert.equal(figure(94.04, 1), "94.0");
  assert.equal(figure(0, 1), "0.0");
  assert.equal(figure(null, 1), "–");
});

test("a change is that of the figures as shown", () => {
  assert.deepEqual(change(94.04, 94.06, 1), ["▲", "0.1"]);
  assert.deepEqual(change(94.01, 94.04, 1), ["", ""]);
  assert.deepEqual(change(99.8, 2.2, 1), ["▼", "97.6"]);
  assert.deepEqual(change(null, 2.2, 1), ["", ""]);
});

test("triggered points are counted, those of the target class left out", () => {
  const payload = { points: 5, triggered: [0, 1, 1, 1, 1], labels: [0, 0, 1, 2, 0] };
  assert.deepEqual(tally(payload, { answers: [2, 2, 1, 2, 1] }, 2), { total: 3, fooled: 1, right: 1 });
});
