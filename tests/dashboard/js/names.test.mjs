import assert from "node:assert/strict";
import test from "node:test";

import { arranged, crowdOf, placesOf } from "../../../dashboard/components/stage_assets/names.js";

const [WIDTH, HEIGHT] = [600, 400];
const size = [80, 18];
const nothing = () => 0;
const group = (x, y, more = {}) => ({ middle: [x, y], box: [x - 30, y - 20, x + 30, y + 20], size, ...more });
const over = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/** Points on a square of `side` around (x, y), one every 4 pixels. */
function square(x, y, side) {
  const at = [];
  for (let dx = -side / 2; dx <= side / 2; dx += 4) for (let dy = -side / 2; dy <= side / 2; dy += 4) at.push(x + dx, y + dy);
  return at;
}

test("a crowd counts the points in a box, and none that are nowhere or outside", () => {
  const crowd = crowdOf(Float32Array.from([10, 10, 12, 12, 300, 200, NaN, 5, -40, 10, 5000, 10]), WIDTH, HEIGHT);
  assert.equal(crowd([0, 0, 30, 30]), 2);
  assert.equal(crowd([290, 190, 310, 210]), 1);
  assert.equal(crowd([0, 0, WIDTH, HEIGHT]), 3);
  assert.equal(crowd([400, 0, 500, 100]), 0);
});

test("a name stands beside its points and covers none", () => {
  const crowd = crowdOf(Float32Array.from(square(300, 200, 60)), WIDTH, HEIGHT);
  const [{ box }] = arranged([{ middle: [300, 200], box: [270, 170, 330, 230], size }], crowd, WIDTH, HEIGHT);
  assert.equal(crowd(box), 0);
  assert.ok(Math.abs((box[0] + box[2]) / 2 - 300) < 90 && Math.abs((box[1] + box[3]) / 2 - 200) < 60, String(box));
});

test("names keep off each other and inside the frame; one without room is left out", () => {
  const crowded = Array.from({ length: 12 }, (_, k) => group(300 + (k % 4) * 6, 200 + Math.floor(k / 4) * 6));
  const boxes = arranged(crowded, nothing, WIDTH, HEIGHT).map(({ box }) => box);
  const shown = boxes.filter(Boolean);
  assert.ok(boxes[0] && shown.length >= 4 && shown.length < 12, String(shown.length));
  shown.forEach((a, k) => shown.slice(k + 1).forEach((b) => assert.ok(!over(a, b))));
  const [{ box }] = arranged([group(598, 398)], nothing, WIDTH, HEIGHT);
  assert.ok(box[0] >= 0 && box[1] >= 0 && box[2] <= WIDTH && box[3] <= HEIGHT);
});

test("a name moves only for a place that is clearly better", () => {
  const own = group(300, 200);
  const places = placesOf(own.middle, own.box, size);
  const within = (box, place) => box[0] >= place[0] && box[2] <= place[2] && box[1] >= place[1] && box[3] <= place[3];
  const some = (count) => (box) => (within(box, places[1]) ? count : box === places[8] ? 0 : 1);
  assert.equal(arranged([{ ...own, kept: 1 }], some(3), WIDTH, HEIGHT)[0].kept, 1);
  assert.notEqual(arranged([{ ...own, kept: 1 }], some(30), WIDTH, HEIGHT)[0].kept, 1);
});

test("a name stands nearest to its own class, and is left out where it cannot", () => {
  const [low, high] = [group(300, 215, { box: [200, 120, 400, 225] }), group(300, 110)];
  const crowd = ([, top, , bottom]) => (bottom < 120 || top > 225 ? 0 : 99); // room above the one, where the other lies
  const [{ box }] = arranged([low, high], crowd, WIDTH, HEIGHT);
  assert.ok(box[1] > 162, String(box));
  const over = group(300, 206), tall = group(300, 200, { box: [270, 100, 330, 300] });
  const around = [[300, 90], [300, 312], [380, 200], [220, 200]].map(([x, y]) => group(x, y));
  const upon = ([left, top]) => (Math.hypot(left - 260, top - 197) < 1 ? 0 : 1);
  const boxes = (groups) => arranged(groups, upon, WIDTH, HEIGHT).map((one) => one.box);
  assert.ok(boxes([{ ...over, kept: 8 }, tall])[1], "alone it stands beside its points");
  assert.equal(boxes([{ ...over, kept: 8 }, tall, ...around])[1], null);
});
