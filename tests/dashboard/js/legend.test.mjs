import assert from "node:assert/strict";
import test from "node:test";

import { Legend } from "../../../dashboard/components/explore_assets/legend.js";

const item = (k, name) => ({ hidden: false, firstChild: { dataset: { class: String(k) } }, querySelector: () => ({ textContent: name }) });
const legend = (value) => {
  const parts = {
    list: { addEventListener: () => {}, children: ["Speed limit 80", "Stop", "Speed limit 30"].map((name, k) => item(k, name)) },
    search: { addEventListener: () => {}, value }, empty: {},
  };
  const made = new Legend(parts, {});
  made.search();
  return made;
};
const room = { n: 5, classes: () => [0, 1, 2, 0, 1] };

test("a search lights up the points of the classes it finds", () => {
  assert.deepEqual([...legend("speed").lit(room, 0)], [1, 0, 1, 1, 0]);
  assert.deepEqual([...legend(" STOP").lit(room, 0)], [0, 1, 0, 0, 1]);
});

test("without a search, or where nothing is found, the points stay as they are", () => {
  assert.equal(legend("  ").lit(room, 0), null);
  assert.equal(legend("tram").lit(room, 0), null);
  assert.equal(legend("tram").parts.empty.hidden, false);
});
