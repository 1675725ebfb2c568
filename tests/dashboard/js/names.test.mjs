import assert from "node:assert/strict";
import test from "node:test";

import { arranged, crowdOf, nearestOf, placesOf } from "../../../dashboard/components/stage_assets/names.js";

const [WIDTH, HEIGHT] = [600, 400];
const size = [80, 18];
const nothing = () => 0;
const always = () => true;
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
  const [{ box }] = arranged([{ middle: [300, 200], box: [270, 170, 330, 230], size }], crowd, always, WIDTH, HEIGHT);
  assert.equal(crowd(box), 0);
  assert.ok(Math.abs((box[0] + box[2]) / 2 - 300) < 90 && Math.abs((box[1] + box[3]) / 2 - 200) < 60, String(box));
});

test("names keep off each other and inside the frame; one without room is left out", () => {
  const crowded = Array.from({ length: 12 }, (_, k) => group(300 + (k % 4) * 6, 200 + Math.floor(k / 4) * 6));
  const boxes = arranged(crowded, nothing, always, WIDTH, HEIGHT).map(({ box }) => box);
  const shown = boxes.filter(Boolean);
  assert.ok(boxes[0] && shown.length >= 4 && shown.length < 12, String(shown.length));
  shown.forEach((a, k) => shown.slice(k + 1).forEach((b) => assert.ok(!over(a, b))));
  const [{ box }] = arranged([group(598, 398)], nothing, always, WIDTH, HEIGHT);
  assert.ok(box[0] >= 0 && box[1] >= 0 && box[2] <= WIDTH && box[3] <= HEIGHT);
});

test("a name moves only for a place that is clearly better", () => {
  const own = group(300, 200);
  const places = placesOf(own.middle, own.box, size);
  const within = (box, place) => box[0] >= place[0] && box[2] <= place[2] && box[1] >= place[1] && box[3] <= place[3];
  const some = (count) => (box) => (within(box, places[1]) ? count : box === places[8] ? 0 : 1);
  assert.equal(arranged([{ ...own, kept: 1, shown: true }], some(3), always, WIDTH, HEIGHT)[0].kept, 1);
  assert.notEqual(arranged([{ ...own, kept: 1, shown: true }], some(30), always, WIDTH, HEIGHT)[0].kept, 1);
});

test("the nearest group is told by its edge and its bulk, not by its middle, and strays say nothing", () => {
  const far = square(300, 330, 40), long = Array.from({ length: 60 }, (_, k) => [300, 20 + 4 * k]).flat(); // its tip at 256
  const name = [260, 262, 340, 280];
  const nearest = nearestOf([Float32Array.from(far), Float32Array.from(long)]);
  assert.equal(nearest(name, 0), false, "the tip is 6 pixels off, its own points 30, the middle far away");
  assert.equal(nearest([260, 284, 340, 302], 0), true);
  assert.equal(nearest([310, 200, 390, 218], 1), true);
  const stray = nearestOf([Float32Array.from(far), Float32Array.from([...square(500, 100, 40), 300, 280, NaN, NaN])]);
  assert.equal(stray(name, 0), true);
  const thin = [...square(500, 100, 40), ...Array.from({ length: 12 }, (_, k) => [264 + 6 * k, 271]).flat()]; // a tenth of it
  assert.equal(nearestOf([Float32Array.from(far), Float32Array.from(thin)])(name, 1), false, "its bulk lies elsewhere");
  assert.equal(nearestOf([Float32Array.from(far), new Float32Array()])(name, 0), true);
});

test("a name stands nearest to its own class, and is left out where it cannot", () => {
  const own = group(300, 200);
  const places = placesOf(own.middle, own.box, size);
  const only = (k) => (box) => Math.abs(box[0] - places[k][0]) + Math.abs(box[1] - places[k][1]) < 1;
  assert.equal(arranged([own], nothing, only(3), WIDTH, HEIGHT)[0].kept, 3);
  assert.equal(arranged([{ ...own, kept: 1 }], nothing, () => false, WIDTH, HEIGHT)[0].box, null);
});

test("a name that would cover points is left out; the target's is not, and one that is there stays while a few pass", () => {
  const busy = (count) => () => count;
  const shown = (count, more = {}) => arranged([{ ...group(300, 200), ...more }], busy(count), always, WIDTH, HEIGHT)[0].box !== null;
  assert.equal(shown(0), true);
  assert.equal(shown(5), false);
  assert.equal(shown(5, { shown: true }), true);
  assert.equal(shown(60, { shown: true }), false);
  assert.equal(shown(60, { must: true }), true);
});

test("the same classes have fewer names on a narrow map than on a wide one, and the target's on both", () => {
  const spots = [0, 1, 2, 3].flatMap((row) => [0.2, 0.5, 0.8].map((x) => [x + 0.02 * row, 0.2 + 0.2 * row]));
  const named = (width, height) => {
    const places = spots.map(([x, y]) => [x * width, y * height]);
    const crowd = crowdOf(Float32Array.from(places.flatMap(([x, y]) => square(x, y, 28))), width, height);
    const groups = places.map(([x, y], k) => ({ middle: [x, y], box: [x - 14, y - 14, x + 14, y + 14], size: [90, 18], must: k === 0 }));
    return arranged(groups, crowd, always, width, height).map(({ box }) => box && crowd(box));
  };
  const [wide, narrow] = [named(900, 460), named(374, 314)];
  const count = (boxes) => boxes.filter((covered) => covered !== null).length;
  assert.equal(count(wide), 12);
  assert.ok(count(narrow) >= 2 && count(narrow) < 12, String(count(narrow)));
  assert.notEqual(narrow[0], null);
  assert.ok(narrow.slice(1).every((covered) => covered === null || covered <= 3));
});
