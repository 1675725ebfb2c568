/** What can be taken away of a map: PNG and SVG, made here. CSV is made of the tables in Python (explore_table.py). */

import { outline } from "./shapes.js";
import { visitors } from "./visitors.js";

const MARGIN = 28; // pixels for the title above a picture and the legend under it
const LINE = 20;

export function save(name, content, kind) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The maps side by side with titles and legend, as SVG: every point a path of its own. */
export function svg(maps, titles, legend, theme) {
  const [width, height] = [maps[0].host.clientWidth, maps[0].host.clientHeight];
  const whole = maps.length * width + (maps.length - 1) * 16;
  const rows = legendRows(legend, whole);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${whole}" height="${height + MARGIN + rows.length * LINE + 12}" font-family="sans-serif" font-size="13">`,
    `<rect width="100%" height="100%" fill="${theme.ground}"/>`,
  ];
  maps.forEach((map, at) => {
    const left = at * (width + 16);
    parts.push(`<text x="${left + 8}" y="18" fill="${theme.text}" font-weight="600">${safe(titles[at])}</text>`);
    parts.push(`<g transform="translate(${left},${MARGIN})"><clipPath id="m${at}"><rect width="${width}" height="${height}"/></clipPath><g clip-path="url(#m${at})">`);
    map.layers((k, alpha) => {
      const { colour, shape } = map.paint.palette[map.paint.key[k]];
      const line = map.ringed[k] ? `stroke="${map.ringed[k] === 1 ? map.theme.attack : map.theme.freed}" stroke-width="${Math.max(1.3, map.radius * 0.45).toFixed(2)}"` : `stroke="${theme.edge}" stroke-width="0.6"`;
      const where = `translate(${map.px[k].toFixed(2)},${map.py[k].toFixed(2)})`;
      parts.push(`<path d="${outline(shape, Number(map.radius.toFixed(2)))}" transform="${where}" fill="${colour}" ${line}${alpha < 1 ? ` opacity="${alpha}"` : ""}/>`);
    });
    for (const { x, y, left, top, wide, high, picture, colour } of visitors(map)) {
      parts.push(`<line x1="${x.toFixed(1)}" y1="${y.toFixed(1)}" x2="${left + wide / 2}" y2="${top + high / 2}" stroke="${colour}" stroke-width="2"/><image x="${left}" y="${top}" width="${wide}" height="${high}" href="${picture.toDataURL()}" image-rendering="pixelated"/><rect x="${left}" y="${top}" width="${wide}" height="${high}" fill="none" stroke="${colour}" stroke-width="3"/><circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="5" fill="${colour}"/>`);
    }
    parts.push("</g></g>");
  });
  rows.forEach((row, at) => row.forEach(({ x, name, colour, shape, ring }) => {
    const y = height + MARGIN + 18 + at * LINE;
    parts.push(`<path d="${outline(shape, 4.6)}" transform="translate(${x + 8},${y - 4})" fill="${colour}"${ring ? ` stroke="${ring}" stroke-width="2"` : ""}/><text x="${x + 18}" y="${y}" fill="${theme.text}">${safe(name)}</text>`);
  }));
  return parts.join("") + "</svg>";
}

/** The same picture in pixels, twice as fine as on the screen. */
export function png(maps, titles, legend, theme) {
  const image = new Image();
  const source = URL.createObjectURL(new Blob([svg(maps, titles, legend, theme)], { type: "image/svg+xml" }));
  return new Promise((resolve, reject) => {
    image.onload = () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      URL.revokeObjectURL(source);
      canvas.toBlob(resolve, "image/png");
    };
    image.onerror = reject;
    image.src = source;
  });
}

/** The legend's entries in rows that fit, each with its place; a letter takes 8 pixels, a Japanese one 14. */
function legendRows(legend, width) {
  const rows = [[]];
  let x = 8;
  for (const entry of legend) {
    const size = 34 + [...entry.name].reduce((sum, sign) => sum + (sign.charCodeAt(0) > 255 ? 14 : 8), 0);
    if (x + size > width && rows.at(-1).length) {
      rows.push([]);
      x = 8;
    }
    rows.at(-1).push({ ...entry, x });
    x += size;
  }
  return rows;
}

function safe(text) {
  return text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
}
