/** The small network in plain JavaScript: 3x3 convolutions with ReLU and pooling, the mean, one matrix. */

/** Reads one network of the payload; `floats` holds the weights of all. */
export function readNet(spec, floats) {
  let at = spec.start;
  const take = (count) => floats.subarray(at, (at += count));
  const layers = spec.layers.map(([outs, ins, pool]) => ({ outs, ins, pool, weight: take(outs * ins * 9), bias: take(outs) }));
  const [classes, features] = spec.head;
  return { layers, classes, features, head: take(classes * features), headBias: take(classes), mean: spec.mean, std: spec.std };
}

/** `planes` (count of side x side) with a border of zeros around each. */
function padded(planes, count, side) {
  const wide = side + 2;
  const out = new Float32Array(count * wide * wide);
  for (let k = 0; k < count; k++) {
    for (let y = 0; y < side; y++) {
      const from = (k * side + y) * side;
      out.set(planes.subarray(from, from + side), (k * wide + y + 1) * wide + 1);
    }
  }
  return out;
}

/**
 * One convolution, its bias and ReLU; planes of side x side in and out. Sums run along the padded rows without a
 * break, two columns too many in each: one long loop is much faster than many short ones.
 */
function convolve(planes, side, { ins, outs, weight, bias }) {
  const wide = side + 2;
  const area = wide * wide;
  const length = side * wide - 2;
  const source = padded(planes, ins, side);
  const out = new Float32Array(outs * side * side);
  const sums = new Float64Array(length);
  for (let o = 0; o < outs; o++) {
    sums.fill(bias[o]);
    for (let i = 0; i < ins; i++) {
      const [a, b, c, d, e, f, g, h, k] = weight.subarray((o * ins + i) * 9, (o * ins + i + 1) * 9);
      for (let p = 0, q = i * area, r = q + wide, s = r + wide; p < length; p++, q++, r++, s++) {
        sums[p] += a * source[q] + b * source[q + 1] + c * source[q + 2] + d * source[r] + e * source[r + 1] +
          f * source[r + 2] + g * source[s] + h * source[s + 1] + k * source[s + 2];
      }
    }
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) out[(o * side + y) * side + x] = Math.max(0, sums[y * wide + x]);
    }
  }
  return out;
}

/** The greatest of every 2x2. */
function pooled(planes, count, side) {
  const half = side >> 1;
  const out = new Float32Array(count * half * half);
  for (let k = 0; k < count; k++) {
    for (let y = 0; y < half; y++) {
      for (let x = 0; x < half; x++) {
        const at = (k * side + 2 * y) * side + 2 * x;
        out[(k * half + y) * half + x] = Math.max(planes[at], planes[at + 1], planes[at + side], planes[at + side + 1]);
      }
    }
  }
  return out;
}

/** The last planes of one picture: {planes, side}. `pixels` in [0, 1], channel by channel, side x side each. */
export function trunk(net, pixels, side) {
  const plane = side * side;
  let planes = Float32Array.from(pixels, (value, k) => (value - net.mean[Math.floor(k / plane)]) / net.std[Math.floor(k / plane)]);
  for (const layer of net.layers) {
    planes = convolve(planes, side, layer);
    if (layer.pool) {
      planes = pooled(planes, layer.outs, side);
      side >>= 1;
    }
  }
  return { planes, side };
}

/** What the head makes of the last planes: their mean, and one matrix. */
export function headOf(net, { planes, side }) {
  const area = side * side;
  const features = Array.from({ length: net.features }, (_, k) => {
    let sum = 0;
    for (let j = k * area; j < (k + 1) * area; j++) sum += planes[j];
    return sum / area;
  });
  return Array.from({ length: net.classes }, (_, c) => features.reduce((sum, value, k) => sum + net.head[c * net.features + k] * value, net.headBias[c]));
}

export function logits(net, pixels, side) {
  return headOf(net, trunk(net, pixels, side));
}

/**
 * How much each place of the last planes speaks for an answer, side x side: its class activation map (Zhou et al., CVPR
 * 2016) less the mean of those of all answers. Since the head is a mean and a matrix, this is no estimate: the places'
 * mean, and the same of the biases, is by how much the answer's logit is above the mean of all.
 */
export function evidence(net, { planes, side }, answer) {
  const area = side * side;
  const map = new Float32Array(area);
  for (let k = 0; k < net.features; k++) {
    let mean = 0;
    for (let c = 0; c < net.classes; c++) mean += net.head[c * net.features + k] / net.classes;
    const weight = net.head[answer * net.features + k] - mean;
    for (let j = 0; j < area; j++) map[j] += weight * planes[k * area + j];
  }
  return map;
}

/** What the network says: its answer and how sure it is of it, 0 to 1 (softmax). */
export function answerOf(values) {
  const top = Math.max(...values);
  const parts = values.map((value) => Math.exp(value - top));
  return { answer: values.indexOf(top), confidence: 1 / parts.reduce((sum, part) => sum + part, 0) };
}
