/** The nodes of the room, made once; words come later and may change language. */

import { explain } from "./terms.js";

const icon = (path) => `<svg viewBox="0 0 20 20" aria-hidden="true">${path}</svg>`;
const ICONS = {
  lasso: icon('<path d="M6.5 13.5C4 12.8 3 11 3 9c0-3 3-5 7-5s7 2 7 5-3 5-7 5c-.8 0-1.6-.1-2.3-.2"/><circle cx="6" cy="14.2" r="1.7"/><path d="M5.2 15.7c-.3 1 .2 1.5 1 1.8"/>'),
  box: icon('<path d="M4 4h12v12H4z" stroke-dasharray="3 2.4"/>'),
  move: icon('<path d="M10 3v14M3 10h14M7.8 5.2L10 3l2.2 2.2M7.8 14.8L10 17l2.2-2.2M5.2 7.8L3 10l2.2 2.2M14.8 7.8L17 10l-2.2 2.2"/>'),
  plus: icon('<path d="M10 4.5v11M4.5 10h11"/>'),
  minus: icon('<path d="M4.5 10h11"/>'),
  whole: icon('<path d="M3.5 7.5v-4h4M12.5 3.5h4v4M16.5 12.5v4h-4M7.5 16.5h-4v-4"/>'),
  back: icon('<path class="dsx-solid" d="M14 4v12L6 10z"/>'),
  forward: icon('<path class="dsx-solid" d="M6 4v12l8-6z"/>'),
  cross: icon('<path d="M5.5 5.5l9 9M14.5 5.5l-9 9"/>'),
};

const button = (name, face, more = "") => `<button type="button" class="dsx-button" data-el="${name}" data-testid="explore-${name}" ${more}>${face}</button>`;
const option = (name, options) => `<label class="dsx-field"><span data-el="${name}-name"></span><select data-el="${name}" data-testid="explore-${name}">${
  options.map((value) => `<option value="${value}"></option>`).join("")}</select></label>`;
const row = (items) => `<div class="dsx-tools">${items.join("")}</div>`;

const COLOURS = ["true", "answer", "confidence"]; // and, here and below, the methods that tell what looks poisoned
const SORTS = ["number", "true", "answer", "confidence"];
const FINDS = ["", "all", "triggered", "clean", "wrong", "target", "changed", "unsure"];
export const EXPORTS = ["csv_all", "csv_selected", "png", "svg"];
const HEADS = ["head_point", "head_true", "head_answer", "head_confidence"];
const heads = (methods) => [...HEADS, ...methods.map((method) => `head_${method}`)];

const bar = (methods) => `
  <div class="dsx-bar">
    ${option("map", [])}${option("colour", [...COLOURS, ...methods])}
    <div class="dsx-segments" role="group" data-el="view">${button("one", "")}${button("both", "")}</div>
    ${row([button("lasso", ICONS.lasso), button("box", ICONS.box), button("move", ICONS.move)])}
    ${row([button("zoom-in", ICONS.plus), button("zoom-out", ICONS.minus), button("reset", ICONS.whole)])}
    <details class="dsx-menu" data-el="export"><summary data-el="export-name" data-testid="explore-export"></summary>
      <div>${EXPORTS.map((name) => `<button type="button" data-el="${name}" data-testid="explore-${name}"></button>`).join("")}</div></details>
  </div>`;

const key = (state) => `<span class="dsx-key" data-state="${state}"><svg viewBox="0 0 14 14" aria-hidden="true"><circle cx="7" cy="7" r="4.6"/></svg><span data-el="ring-${state}"></span></span>`;

const MAPS = `
  <section class="dsx-left">
    <div class="dsx-maps" data-el="maps">
      ${["a", "b"].map((name) => `<figure class="dsx-mapbox" data-el="box-${name}"><figcaption><span data-el="title-${name}"></span><span class="dsx-quiet" data-el="trust-${name}" data-testid="explore-trust-${name}" hidden></span></figcaption>
        <div class="dsx-map" data-el="map-${name}" data-testid="explore-map-${name}" tabindex="0" role="application"></div></figure>`).join("")}
      <p class="dsx-hint" data-el="hint"></p>
      <div class="dsx-tip" data-el="tip" data-testid="explore-tip" hidden><span data-el="tip-picture"></span><p data-el="tip-words"></p></div>
    </div>
    <div class="dsx-time" data-el="time">
      ${button("back", ICONS.back)}<input type="range" min="0" max="0" step="1" value="0" data-el="slider" data-testid="explore-slider">${button("forward", ICONS.forward)}
      <span class="dsx-quiet" data-el="step" data-testid="explore-step"></span>
    </div>
    <div class="dsx-scale" data-el="scale" data-testid="explore-scale" hidden><span data-end="low"></span><i></i><span data-end="high"></span><p></p></div>
    <div class="dsx-legendbar"><strong data-el="legend-name"></strong>
      <input type="search" data-el="search" data-testid="explore-search">${["misled", "freed"].map(key).join("")}</div>
    <ul class="dsx-legend" data-el="legend" data-testid="explore-legend"></ul>
    <p class="dsx-quiet" data-el="legend-empty" hidden></p>
  </section>`;

const OWN = `<div class="dsx-own" data-el="own" data-testid="explore-own" hidden>
      <div class="dsx-head"><h2><span data-el="own-name"></span> <span class="dsx-quiet" data-el="own-title"></span></h2>
        <label class="dsx-check"><input type="checkbox" checked data-el="own-trigger" data-testid="explore-own-trigger"><span data-el="own-trigger-words"></span></label>${button("own-close", ICONS.cross)}</div>
      <ul class="dsx-pair" data-el="own-pair" data-testid="explore-own-pair"></ul>
      <p class="dsx-note" data-el="own-elsewhere" hidden><span data-el="own-where"></span> ${button("own-show", "")}</p>
      <p class="dsx-note" data-el="own-after-none"></p>
      <div data-el="own-near"></div>
    </div>`;

const panel = (methods) => `
  <section class="dsx-right">${OWN}
    <div class="dsx-head"><p class="dsx-count"><b data-el="count" data-testid="explore-count"></b> <span data-el="count-words"></span></p>
      ${button("clear", ICONS.cross)}${option("find", [...FINDS, ...methods, "invert"])}</div>
    <div class="dsx-head" data-el="gallery-head"><div class="dsx-segments" role="group" data-el="gallery-kind">${button("grid", "")}${button("table", "")}</div>${option("sort", [...SORTS, ...methods])}</div>
    <div class="dsx-heads" data-el="heads" aria-hidden="true">${heads(methods).map((name) => `<span data-el="${name}"></span>`).join("")}</div>
    <div class="dsx-gallery" data-el="gallery" data-testid="explore-gallery" role="group"></div>
    <div class="dsx-empty" data-el="empty" data-testid="explore-empty"><strong data-el="empty-title"></strong><span data-el="empty-text"></span></div>
    <p class="dsx-note" data-el="pictures-missing"></p>
    <div class="dsx-detail" data-el="detail" data-testid="explore-detail">
      <p class="dsx-quiet" data-el="detail-empty"></p>
      <div data-el="detail-full" hidden>
        <h2 data-el="detail-title"></h2>
        <ul class="dsx-pair" data-el="detail-pair"></ul>
        ${button("own-ask", "")}
        <ul class="dsx-quiet" data-el="detail-scores"></ul>
        <h3><span data-el="near-name"></span> ${button("near-select", "")}</h3>
        <p class="dsx-note" data-el="near-missing"></p>
        ${["before", "after"].map((when) => `<p class="dsx-quiet" data-el="near-${when}-words"></p><ul class="dsx-nears" data-el="near-${when}" data-testid="explore-near-${when}"></ul>`).join("")}
        <p class="dsx-note" data-el="near-after-none"></p>
        <h3 data-el="saliency-name"></h3>
        <p class="dsx-note" data-el="saliency-missing"></p>
        ${button("saliency-ask", "")}
        <div class="dsx-saliency" data-el="saliency-maps" data-testid="explore-saliency" hidden></div>
        <p class="dsx-quiet" data-el="saliency-note" hidden></p>
      </div>
    </div>
  </section>`;

/** The room's root and its named nodes: {root, el: {name: node}}; `methods` can be coloured, found and sorted by. */
export function makeView(methods) {
  const root = document.createElement("div");
  root.className = "dsx";
  root.dataset.testid = "explore";
  root.style.setProperty("--dsx-methods", methods.length);
  root.innerHTML = `${bar(methods)}<div class="dsx-jobs" data-el="jobs" role="status" data-testid="explore-jobs"></div>
    <div class="dsx-body">${MAPS}${panel(methods)}</div><p class="dsx-hidden" aria-live="polite" data-el="say"></p>`;
  const el = {};
  for (const node of root.querySelectorAll("[data-el]")) el[node.dataset.el] = node;
  return { root, el };
}

/** Puts the words of the reader's language on everything that stays. */
export function setWords(el, root, { texts, terms, methods }) {
  const write = (name, key = name) => (el[name].textContent = texts[key.replaceAll("-", "_")]);
  const label = (name, key = name) => {
    el[name].setAttribute("aria-label", texts[key.replaceAll("-", "_")]);
    el[name].title = texts[key.replaceAll("-", "_")];
  };
  root.setAttribute("aria-label", texts.room_label);
  root.setAttribute("role", "region");
  for (const name of ["map-name", "colour-name", "sort-name", "find-name", "one", "both", "grid", "table", "export-name", "ring-misled", "ring-freed", "near-select", "own-name", "own-where", "own-show", "own-ask", "detail-empty", "empty-title", "empty-text", ...EXPORTS, ...heads(Object.keys(methods))]) write(name);
  for (const name of ["near", "saliency"]) explain(el[`${name}-name`], texts[`${name}_name`], terms);
  explain(el["saliency-note"], texts.saliency_note, terms);
  write("legend-empty", "search_none");
  write("own-trigger-words", "own_trigger");
  write("hint", matchMedia("(pointer: coarse)").matches ? "hint_touch" : "hint"); // a finger, whatever the width
  for (const name of ["lasso", "box", "move", "zoom-in", "zoom-out", "reset", "back", "forward", "slider", "clear", "own-close", "view", "gallery-kind", "search"]) label(name);
  for (const name of ["map-a", "map-b"]) el[name].setAttribute("aria-label", texts.map_label);
  el.gallery.setAttribute("aria-label", texts.gallery);
  el.search.placeholder = texts.search;
  for (const [name, prefix] of [["colour", "colour_"], ["sort", "sort_"], ["find", "find_"]]) {
    for (const node of el[name].options) node.textContent = texts[prefix + (node.value || "none")];
  }
}
