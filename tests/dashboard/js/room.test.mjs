import assert from "node:assert/strict";
import test from "node:test";

import { Room } from "../../../dashboard/components/explore_assets/room.js";

const payload = {
  points: 3, labels: [0, 1, 1], triggered: [0, 0, 1], whens: ["before"], methods: { zz: "a_new_method" },
  frames: [{ answers: [0, 1, 0], confidence: [90, 50, 70] }],
  scores: [{ method: "zz", when: "before" }], suspicion: [255, 0, 128],
};

test("points are found and sorted by any method that the payload names", () => {
  const room = new Room(payload);
  assert.deepEqual(room.find("zz", 0), [0, 2]);
  room.select([0, 1, 2]);
  assert.deepEqual(room.sorted("zz", 0), [0, 2, 1]);
  assert.deepEqual(room.sorted("confidence", 0), [1, 2, 0]);
  room.select([1]);
  assert.deepEqual(room.find("invert", 0), [0, 2]);
});

test("a point wears the ring of the model that it is shown for", () => {
  const later = { answers: [0, 1, 1], confidence: [90, 50, 70] };
  const room = new Room({ ...payload, target: 0, frames: [payload.frames[0], later] });
  assert.deepEqual([...room.ringsOf("before")], [0, 0, 1]);
  assert.deepEqual([...room.ringsOf("after")], [0, 0, 2]);
});

test("a map has a place for each of its stops, between two of them too, and one box for all", () => {
  const coords = [[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 4]].map((places) => Float32Array.from(places));
  const room = new Room({ ...payload, frames: coords.map((places) => ({ ...payload.frames[0], coords: places })) });
  assert.deepEqual([...room.places({ own: true, dims: 2, stops: [0, 1] }, 0.5)], [0, 0, 1, 1, 2, 3]);
  const drawn = { own: false, dims: 3, stops: [0, 1], places: Float32Array.from({ length: 18 }, (_, k) => k) };
  assert.deepEqual([...room.places(drawn, 1)], [9, 10, 11, 12, 13, 14, 15, 16, 17]);
  assert.deepEqual([...room.places(drawn, 1.5)], [...room.places(drawn, 1)], "there is no later one");
  assert.deepEqual(room.box(drawn), { low: [0, 1, 2], high: [15, 16, 17] });
});
