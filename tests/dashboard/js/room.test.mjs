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
