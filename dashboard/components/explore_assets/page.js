/** What stands on the page besides pictures and points: choices, jobs, the scale's words; and what is taken away. */

import { png, save, svg } from "./export.js";
import { explain } from "./terms.js";
import { setWords } from "./view.js";
import { figure, fill } from "./words.js";

/** All that depends on the payload and not on what the reader does. */
export function fillPage(el, root, payload) {
  const { texts } = payload;
  setWords(el, root, payload);
  el.map.replaceChildren(...[...payload.layouts, ...payload.offers].map((map) => {
    const node = document.createElement("option");
    node.value = map.id;
    const kind = fill(texts.map_kind, { method: texts[`map_${map.method}`], dims: map.dims });
    const name = map.facts ? `${kind} · ${map.facts}` : kind;
    const whole = map.own || (map.stops || []).length > 2;
    node.textContent = whole ? fill(texts.map_all, { name }) : map.stops ? name : fill(texts.map_offer, { name });
    return node;
  }));
  for (const name of ["colour", "find", "sort"]) {
    for (const node of el[name].options) node.hidden = node.disabled = node.value in payload.methods && !payload.scores.length;
  }
  el["pictures-missing"].textContent = payload.sprite ? "" : payload.missing.pictures || "";
  el.jobs.replaceChildren(...payload.jobs.map(jobLine));
  root.style.setProperty("--dsx-sprite", payload.sprite ? `url("${payload.sprite.url}")` : "none");
  root.style.setProperty("--dsx-shape", payload.sprite ? payload.sprite.width / payload.sprite.height : 1);
}

function jobLine(job) {
  const node = document.createElement("p");
  node.textContent = job.words;
  if (job.fault) node.dataset.fault = "true";
  if (job.fault || job.still) return node; // it failed, or waits its turn
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", job.words);
  if (job.share !== null) Object.assign(bar, { max: 1, value: job.share });
  node.append(bar);
  return node;
}

/** How far a map can be trusted at a stop, and the live map at the same time; nothing where that is not known. */
export function trustWords(node, { layouts, texts, terms }, map, stop, frame) {
  const known = (value) => (value === undefined || value === null ? null : value.toFixed(2));
  const [value, live] = [known(map.trust && map.trust[stop]), map.own ? null : known(layouts[0].trust[frame])];
  node.hidden = value === null;
  if (value !== null) explain(node, fill(live === null ? texts.trust : texts.trust_live, { value, live }), terms);
}

/** A picture and a sentence beside the pointer at (x, y) in map `name`, inside the field. */
export function showTip(el, name, picture, words, x, y) {
  el["tip-picture"].style.cssText = picture;
  el["tip-picture"].hidden = !picture;
  el["tip-words"].textContent = words;
  const [field, box] = [el.maps.getBoundingClientRect(), el[`map-${name}`].getBoundingClientRect()];
  const left = box.left - field.left + x + 16;
  const top = box.top - field.top + y + 12;
  const { offsetWidth: width, offsetHeight: height } = el.tip;
  const down = top + height > field.height ? top - height - 24 : top;
  el.tip.style.transform = `translate(${Math.min(left, field.width - width)}px, ${down}px)`;
}

/** Words for the two ends of a colour scale, and what the method found, against the truth. */
export function scaleWords(room, frame) {
  const { texts, terms, methods, missing } = room.payload;
  const { mode } = room;
  if (mode === "confidence") return ["0 %", "100 %", ""];
  const when = room.when(frame);
  const judged = room.judged(mode, when);
  if (!judged) return [texts.scale_low, texts.scale_high, missing.features || ""];
  const facts = { when: texts[when], precision: figure(judged.precision, 1), recall: figure(judged.recall, 1), share: figure(judged.share, 1) };
  const found = fill(judged.precision === null ? texts.judged_none : texts.judged, facts);
  return [texts.scale_low, texts.scale_high, `${terms[methods[mode]][1]} ${found}`];
}

/** Hands the reader a picture, "png" or "svg", of what `shown` (the room's page) shows. */
export async function takeAway(name, shown) {
  const { room, payload, map, theme, both, el } = shown;
  const file = `${payload.run}-${map.id.replace(/[^\w.-]+/g, "-")}`;
  const maps = both ? shown.maps : shown.maps.slice(0, 1);
  const titles = ["a", "b"].map((which) => `${payload.title} · ${el[`title-${which}`].textContent}`);
  const entries = ["true", "answer"].includes(room.mode)
    ? payload.classes.map((label, k) => ({ name: label, colour: payload.marks[k][0], shape: payload.marks[k][1] }))
    : [];
  const rings = payload.triggered.some(Boolean) ? [["ring_misled", "attack"], ["ring_freed", "freed"]] : [];
  for (const [words, ring] of rings) {
    entries.push({ name: payload.texts[words], colour: "none", shape: "circle", ring: shown.maps[0].theme[ring] });
  }
  if (maps.some((view) => view.guests.length)) entries.push({ name: payload.texts.own_key, colour: shown.theme.text, shape: "square" });
  if (name === "svg") return save(`${file}.svg`, svg(maps, titles, entries, theme), "image/svg+xml");
  return save(`${file}.png`, await png(maps, titles, entries, theme), "image/png");
}
