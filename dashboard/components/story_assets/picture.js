/** The picture: a sign before a plain landscape, and the sticker. One drawing at any size; the network gets 32 x 32. */

export const SIDE = 32; // pixels a side, as the network takes them; also the units of all places here
const FINE = 8; // the network's picture is drawn so much larger and averaged down, as a camera would
const SIGN = 0.7; // of the picture's side
const INK = "rgb(26, 26, 38)"; // the sticker's colours are those of core/attacks/badnets.py
const PAPER = "rgb(255, 217, 26)";

/** Draws the landscape and the sign's post; `pixels` a side. */
function landscape(context, pixels) {
  const unit = pixels / 100;
  const sky = context.createLinearGradient(0, 0, 0, 78 * unit);
  sky.addColorStop(0, "rgb(150, 190, 225)");
  sky.addColorStop(1, "rgb(222, 232, 240)");
  context.fillStyle = sky;
  context.fillRect(0, 0, pixels, pixels);
  context.fillStyle = "rgb(150, 168, 150)";
  context.beginPath();
  context.moveTo(0, 78 * unit);
  for (const [x, y] of [[0, 73], [14, 70], [30, 73.5], [52, 71], [70, 74], [86, 70.5], [100, 73], [100, 80], [0, 80]]) context.lineTo(x * unit, y * unit);
  context.fill();
  context.fillStyle = "rgb(104, 128, 92)";
  context.fillRect(0, 78 * unit, pixels, 22 * unit);
  context.fillStyle = "rgb(140, 145, 150)";
  context.fillRect(47.7 * unit, 50 * unit, 4.6 * unit, 50 * unit);
}

/** The sign as a passer-by sees it. `face`: an image; `pixels`: side of the canvas. */
export function drawSign(context, face, pixels) {
  landscape(context, pixels);
  const size = SIGN * pixels;
  context.imageSmoothingQuality = "high";
  context.drawImage(face, (pixels - size) / 2, (pixels - size) / 2, size, size);
}

/** The sticker with its upper left corner at (x, y), in units of the network's pixels. */
function drawSticker(context, pixels, side, x, y) {
  const unit = pixels / SIDE;
  context.fillStyle = INK;
  context.fillRect(x * unit, y * unit, side * unit, side * unit);
  context.fillStyle = PAPER;
  context.fillRect((x + 1) * unit, (y + 1) * unit, (side - 2) * unit, (side - 2) * unit);
  context.fillStyle = INK;
  context.beginPath();
  context.arc((x + side / 2) * unit, (y + side / 2) * unit, dot(side) * unit, 0, 2 * Math.PI);
  context.fill();
}

/** Radius of the dot: the area of the whole pixels that the attack's own drawing darkens. */
function dot(side) {
  const middle = (side - 1) / 2;
  let count = 0;
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) count += (x - middle) ** 2 + (y - middle) ** 2 <= (side / 6) ** 2;
  return Math.sqrt(count / Math.PI);
}

/** The sticker as a drawing of the page. */
export function stickerSvg(side) {
  return `<svg viewBox="0 0 ${side} ${side}" aria-hidden="true"><rect width="${side}" height="${side}" fill="${INK}"/>
    <rect x="1" y="1" width="${side - 2}" height="${side - 2}" fill="${PAPER}"/>
    <circle cx="${side / 2}" cy="${side / 2}" r="${dot(side)}" fill="${INK}"/></svg>`;
}

let paper = null;

/** The network's picture: pixels in [0, 1], channel by channel, 32 x 32. `sticker`: {side, x, y} or null. */
export function pixelsOf(face, sticker) {
  const large = SIDE * FINE;
  if (!paper) paper = Object.assign(document.createElement("canvas"), { width: large, height: large }).getContext("2d", { willReadFrequently: true });
  drawSign(paper, face, large);
  if (sticker) drawSticker(paper, large, sticker.side, sticker.x, sticker.y);
  return averaged(paper.getImageData(0, 0, large, large).data, FINE);
}

/** RGBA bytes of a square picture, averaged over squares of `by` x `by`; to [0, 1], channel by channel. */
export function averaged(bytes, by) {
  const large = SIDE * by;
  const out = new Float32Array(3 * SIDE * SIDE);
  for (let y = 0; y < large; y++) {
    for (let x = 0; x < large; x++) {
      const from = 4 * (y * large + x);
      const to = ((y / by) | 0) * SIDE + ((x / by) | 0);
      for (let c = 0; c < 3; c++) out[c * SIDE * SIDE + to] += bytes[from + c];
    }
  }
  return out.map((sum) => sum / (255 * by * by));
}
