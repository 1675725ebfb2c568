import assert from "node:assert/strict";
import test from "node:test";

import { REACH, drawn, lies, stepped } from "../../../dashboard/components/story_assets/snap.js";

const spot = { x: 24, y: 23 };

test("a hand close by puts the sticker on the spot, from every side", () => {
  for (const [dx, dy] of [[0, 0], [REACH, 0], [-REACH, 0], [0, 1.5], [-2, -2]]) {
    assert.deepEqual(drawn({ x: spot.x + dx, y: spot.y + dy }, spot), spot);
  }
});

test("farther away, across the corner too, it lies where the hand is", () => {
  for (const at of [{ x: spot.x + REACH + 0.01, y: spot.y }, { x: spot.x - REACH, y: spot.y - REACH }, { x: 13, y: 13 }]) {
    assert.deepEqual(drawn(at, spot), at);
  }
});

test("the spot itself is never handed out, so that nobody moves it", () => {
  drawn(spot, spot).x = 0;
  assert.equal(spot.x, 24);
});

test("arrow keys reach the spot in its last steps, and leave it again one step at a time", () => {
  let at = { x: 13, y: 23 };
  let steps = 0;
  while (!lies(at, spot) && steps < 40) {
    at = stepped(at, { x: at.x + 1, y: at.y }, spot);
    steps += 1;
  }
  assert.deepEqual(at, spot);
  assert.equal(steps, 24 - 13 - REACH);
  at = stepped(at, { x: at.x - 1, y: at.y }, spot);
  assert.deepEqual(at, { x: 23, y: 23 });
  at = stepped(at, { x: at.x - 1, y: at.y }, spot);
  assert.deepEqual(at, { x: 22, y: 23 });
  assert.deepEqual(stepped(at, { x: 23, y: 23 }, spot), spot);
});

test("a step past the spot at the same distance stays where it is", () => {
  assert.deepEqual(stepped({ x: 23, y: 23 }, { x: 24, y: 22 }, spot), { x: 24, y: 22 });
});

test("what lies a quarter of a pixel off lies no more on the spot", () => {
  assert.ok(lies({ x: 24.1, y: 23.1 }, spot));
  assert.ok(!lies({ x: 24.25, y: 23 }, spot));
});
