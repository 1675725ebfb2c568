/** Payloads as Python packs them (stage.py): magic, header length, JSON header, arrays. */

const NOWHERE = -32768;

export function readHeader(bytes) {
  const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
  return { header, body: 8 + size };
}

/** Places as numbers; they travel as whole steps over a box (quantise in stage_payload.py). */
export function readCoords(quantised, { dims, low, scale }) {
  const places = new Float32Array(quantised.length);
  for (let k = 0; k < quantised.length; k++) {
    const axis = k % dims;
    places[k] = quantised[k] === NOWHERE ? NaN : low[axis] + scale[axis] * (quantised[k] + 32767);
  }
  return places;
}

/**
 * Returns the payload: the header's fields, labels, triggered, and frames [{coords, answers, confidence}].
 * Frames never change once they are there, so those of `old`, the last payload of the same run, are kept as they
 * are: no point moves because the box grew and the rounding with it. Returns `old` itself for the same payload.
 */
export function decode(bytes, old) {
  const { header, body } = readHeader(bytes);
  if (old && old.digest === header.digest) return old;
  const section = (name, Kind) => {
    const [start, length] = header.sections[name];
    return new Kind(bytes.slice(body + start, body + start + length).buffer); // a copy is aligned, a view need not be
  };
  const labels = section("labels", Uint16Array);
  const triggered = section("triggered", Uint8Array);
  const coords = section("coords", Int16Array);
  const answers = section("answers", header.wide ? Uint16Array : Uint8Array);
  const confidence = section("confidence", Uint8Array);
  const kept = old && old.run === header.run && old.dims === header.dims && old.points === header.points ? old.frames : [];
  const n = header.points;
  const frames = Array.from({ length: header.frames }, (_, k) => kept[k] || {
    coords: readCoords(coords.subarray(k * n * header.dims, (k + 1) * n * header.dims), header),
    answers: answers.slice(k * n, (k + 1) * n),
    confidence: confidence.slice(k * n, (k + 1) * n),
  });
  return { ...header, labels, triggered, frames };
}

/** The class that most triggered points of other classes are taken for in the first frame. */
export function targetOf(payload) {
  if (payload.target !== null) return payload.target;
  if (!payload.frames.length) return null;
  const counts = new Map();
  payload.frames[0].answers.forEach((answer, k) => {
    if (payload.triggered[k] && answer !== payload.labels[k]) counts.set(answer, (counts.get(answer) || 0) + 1);
  });
  let best = null;
  for (const [answer, count] of counts) if (best === null || count > counts.get(best)) best = answer;
  return best;
}
