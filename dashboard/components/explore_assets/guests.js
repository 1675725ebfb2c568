/** Where a picture lies that is no point of the map, and what its answers tell: no page, no drawing. */

/** Where a variant lies at a position in time: between the stops, between its places. */
export function between({ coords, models }, position, variant) {
  const from = Math.min(models - 1, Math.floor(position));
  const to = Math.min(models - 1, from + 1);
  const part = position - Math.floor(position);
  return Float32Array.from(coords[from][variant], (value, axis) => value + (coords[to][variant][axis] - value) * part);
}

/** What the answer to a variant tells: "misled" by the trigger, "freed" of it, or "plain", without it. */
export function stateOf({ answers }, model, variant, target) {
  if (!variant) return "plain";
  const [plain, marked] = answers[model];
  return marked === target && plain !== target ? "misled" : "freed";
}

/** The variants up to `last` on their own map at a position in time: [{places, state}]; none on any other map. */
export function guestsOf(own, map, position, last, target) {
  if (!own || own.map !== map.id) return [];
  const model = Math.min(own.models - 1, Math.round(position));
  return Array.from({ length: last + 1 }, (_, variant) => ({
    places: between(own, position, variant), state: stateOf(own, model, variant, target),
  }));
}

/** The box of a map, made large enough for what lies beside its own points. */
export function widened(box, own, map) {
  if (!own || own.map !== map.id) return box;
  const places = own.coords.flat();
  return {
    low: box.low.map((low, axis) => Math.min(low, ...places.map((place) => place[axis]))),
    high: box.high.map((high, axis) => Math.max(high, ...places.map((place) => place[axis]))),
  };
}
