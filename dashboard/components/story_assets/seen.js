/** What the network looks at, drawn onto the very picture that it was asked about: pale grey, and in colour what counts. */

import { SIDE } from "./picture.js";

const DRAWN = 256; // pixels a side
const PALE = [180, 0.29]; // ground and share of the grey picture, as the report draws it
const LIFTED = 0.7; // power of the strength: faint places are seen as well
const MOSTLY = 0.5; // share of the evidence at the sticker, before: from there on it may be said that it counted
const FELL = 3; // times less after: and that it does so no more

/** The share, 0 to 1, of what speaks for an answer that lies where the sticker touches; `map` side x side. */
export function shareOn(map, side, sticker) {
  const cell = SIDE / side;
  let [on, all] = [0, 0];
  map.forEach((value, k) => {
    if (value <= 0) return;
    const [x, y] = [(k % side) * cell, Math.floor(k / side) * cell];
    const touched = sticker.x < x + cell && sticker.x + sticker.side > x && sticker.y < y + cell && sticker.y + sticker.side > y;
    all += value;
    if (touched) on += value;
  });
  return all ? on / all : 0;
}

/** Whether the sticker counted before and does so no more, by these two shares. */
export function turned([before, after]) {
  return before >= MOSTLY && after * FELL <= before;
}

/** Draws the picture, `pixels` as the network had them, and on it in `colour` [r, g, b] what speaks for the answer. */
export function drawSeen(canvas, pixels, map, side, colour) {
  const context = Object.assign(canvas, { width: DRAWN, height: DRAWN }).getContext("2d");
  const grey = spread(SIDE, (k) => PALE[0] + PALE[1] * 255 * (0.299 * pixels[k] + 0.587 * pixels[SIDE * SIDE + k] + 0.114 * pixels[2 * SIDE * SIDE + k]));
  const top = Math.max(...map, 1e-9);
  const heat = spread(side, (k) => 255 * Math.max(0, map[k] / top));
  const out = context.createImageData(DRAWN, DRAWN);
  for (let k = 0; k < DRAWN * DRAWN; k++) {
    const strength = (heat[4 * k] / 255) ** LIFTED;
    for (let c = 0; c < 3; c++) out.data[4 * k + c] = grey[4 * k] + (colour[c] - grey[4 * k]) * strength;
    out.data[4 * k + 3] = 255;
  }
  context.putImageData(out, 0, 0);
}

/** A plane of side x side values, 0 to 255, drawn large and smooth: RGBA bytes. */
function spread(side, valueOf) {
  const small = Object.assign(document.createElement("canvas"), { width: side, height: side }).getContext("2d");
  const image = small.createImageData(side, side);
  for (let k = 0; k < side * side; k++) {
    image.data.fill(Math.min(255, valueOf(k)), 4 * k, 4 * k + 3);
    image.data[4 * k + 3] = 255;
  }
  small.putImageData(image, 0, 0);
  const large = Object.assign(document.createElement("canvas"), { width: DRAWN, height: DRAWN }).getContext("2d");
  large.imageSmoothingQuality = "high";
  large.drawImage(small.canvas, 0, 0, DRAWN, DRAWN);
  return large.getImageData(0, 0, DRAWN, DRAWN).data;
}
