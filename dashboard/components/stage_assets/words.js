/** Sentences and figures. */

/** Fills the {name} places of a sentence. */
export function fill(sentence, facts) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? String(facts[name]) : whole));
}

/** A percentage with `digits` decimals; a dash where there is none. */
export function figure(value, digits) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

/** The change from `first` to `now` as [arrow, size], from the figures as shown; empty where there is none. */
export function change(first, now, digits) {
  if (first === null || now === null || first === undefined || now === undefined) return ["", ""];
  const size = Number(now.toFixed(digits)) - Number(first.toFixed(digits));
  if (Math.abs(size) < 0.5 * 10 ** -digits) return ["", ""];
  return [size < 0 ? "▼" : "▲", Math.abs(size).toFixed(digits)];
}

/**
 * What became of the triggered points in a frame: {total, fooled, right}. Points whose true class is the target
 * are left out: reading them as the target is no fault.
 */
export function tally(payload, frame, target) {
  const counts = { total: 0, fooled: 0, right: 0 };
  for (let k = 0; k < payload.points; k++) {
    if (!payload.triggered[k] || payload.labels[k] === target) continue;
    counts.total += 1;
    if (frame.answers[k] === target) counts.fooled += 1;
    if (frame.answers[k] === payload.labels[k]) counts.right += 1;
  }
  return counts;
}

/** Whether the triggered points are still a cluster to speak of: at least so many of them are read as the target. */
export function stillFooled(counts) {
  return counts.total > 0 && counts.fooled >= 0.3 * counts.total;
}

/** Whether the attack is over, and the images are read as what they are: most of them, not just no longer as the target. */
export function cured(counts) {
  return counts.total > 0 && !stillFooled(counts) && counts.right >= 0.7 * counts.total;
}

/** The cluster in plain words. */
export function clusterWords(payload, counts, target) {
  const answer = target === null ? "–" : payload.classes[target];
  const facts = { things: payload.things, total: counts.total, answer };
  if (!counts.total) return "";
  if (counts.fooled === counts.total) return fill(payload.texts.cluster_all, { ...facts, count: counts.total });
  if (stillFooled(counts)) return fill(payload.texts.cluster_some, { ...facts, count: counts.fooled });
  if (cured(counts)) return fill(payload.texts.cluster_none, { ...facts, count: counts.right });
  return fill(payload.texts.cluster_mixed, { ...facts, count: counts.fooled, right: counts.right });
}
