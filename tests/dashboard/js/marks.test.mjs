import assert from "node:assert/strict";
import test from "node:test";

import { Marks } from "../../../dashboard/components/pictures_assets/marks.js";

test("a press is told with all that is marked by then, and seen before it is answered", () => {
  const marks = new Marks();
  marks.accept({ page: "one", marked: [3, 5], heard: null });
  assert.deepEqual(marks.press(5, "a"), { marked: [3], number: "a" });
  assert.deepEqual(marks.press(7, "b"), { marked: [3, 7], number: "b" });
  assert.deepEqual([...marks.marked], [3, 7]);
});

test("the answer to an earlier press takes nothing of a later one away", () => {
  const marks = new Marks();
  marks.accept({ page: "one", marked: [], heard: null });
  marks.press(1, "a");
  marks.press(2, "b");
  marks.accept({ page: "one", marked: [1], heard: "a" });
  assert.deepEqual(marks.press(3, "c").marked, [1, 2, 3]);
  marks.accept({ page: "one", marked: [1, 2, 3], heard: "c" });
  marks.accept({ page: "one", marked: [1], heard: "c" }); // undone by a button
  assert.deepEqual([...marks.marked], [1]);
});

test("another page is shown as the server has it, whatever was pressed on the last one", () => {
  const marks = new Marks();
  marks.accept({ page: "one", marked: [], heard: null });
  marks.press(1, "a");
  marks.accept({ page: "two", marked: [9], heard: null });
  assert.deepEqual([...marks.marked], [9]);
});
