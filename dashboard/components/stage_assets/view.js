/** The nodes of the live view; made once, never again. Words come later and may change language. */

const icon = (path) => `<svg viewBox="0 0 20 20" aria-hidden="true">${path}</svg>`;

export const ICONS = {
  play: icon('<path class="dsv-solid" d="M6 4l10 6-10 6z"/>'),
  pause: icon('<path class="dsv-solid" d="M5.5 4h3v12h-3zM11.5 4h3v12h-3z"/>'),
  back: icon('<path class="dsv-solid" d="M14.5 4v12L6 10zM5 4h1.8v12H5z"/>'),
  forward: icon('<path class="dsv-solid" d="M5.5 4v12L14 10zM13.2 4H15v12h-1.8z"/>'),
  move: icon('<path d="M10 3v14M3 10h14M7.8 5.2L10 3l2.2 2.2M7.8 14.8L10 17l2.2-2.2M5.2 7.8L3 10l2.2 2.2M14.8 7.8L17 10l-2.2 2.2"/>'),
  lasso: icon('<path d="M6.5 13.5C4 12.8 3 11 3 9c0-3 3-5 7-5s7 2 7 5-3 5-7 5c-.8 0-1.6-.1-2.3-.2"/><circle cx="6" cy="14.2" r="1.7"/><path d="M5.2 15.700c-.3 1 .2 1.5 1 1.8"/>'),
  plus: icon('<path d="M10 4.500v11M4.5 10h11"/>'),
  minus: icon('<path d="M4.5 10h11"/>'),
  whole: icon('<path d="M3.5 7.500v-4h4M12.5 3.500h4v4M16.5 12.500v4h-4M7.5 16.500h-4v-4"/>'),
  tick: icon('<path d="M4.5 10.500l3.7 3.7 7.3-8"/>'),
  cross: icon('<path d="M5.5 5.500l9 9M14.5 5.500l-9 9"/>'),
};

const button = (name, face, more = "") =>
  `<button type="button" class="dsv-button" data-el="${name}" data-testid="stage-${name}" ${more}>${face}</button>`;

const tile = (name, dash) => `
  <div class="dsv-tile" data-testid="${name}">
    <dt><svg class="dsv-sample" viewBox="0 0 26 8" aria-hidden="true"><path class="dsv-line-${name}" d="M1 4h24" stroke-dasharray="${dash}"/></svg>
      <span data-el="${name}-name"></span> <span class="dsv-quiet" data-el="${name}-kind"></span></dt>
    <dd><span class="dsv-big" data-el="${name}-value">–</span><span class="dsv-unit" data-el="${name}-unit"></span>
      <span class="dsv-change" data-el="${name}-change"></span></dd>
  </div>`;

/** A drawing of what will be seen, for as long as there is nothing to see. */
const SKETCH = (() => {
  const blob = (x, y, r, seed) => Array.from({ length: 16 }, (_, k) => {
    const [turn, far] = [2.4 * k + seed, r * Math.sqrt((k + 0.5) / 16)];
    return `<circle cx="${(x + far * Math.cos(turn)).toFixed(1)}" cy="${(y + far * Math.sin(turn)).toFixed(1)}" r="2.2"/>`;
  }).join("");
  const plain = [[150, 40, 20, 0], [196, 74, 18, 1], [158, 108, 22, 2], [100, 122, 17, 3], [108, 70, 15, 4]];
  return `<svg class="dsv-sketch" viewBox="0 0 240 150" aria-hidden="true"><g>${plain.map((b) => blob(...b)).join("")}</g>
    <g class="dsv-ringed">${blob(38, 48, 20, 5)}</g></svg>`;
})();

const MAP = `
  <section class="dsv-map">
    <div class="dsv-bar">
      <div class="dsv-segments" role="radiogroup" data-el="colour-by">
        <span class="dsv-quiet" data-el="colour-by-name"></span>
        ${button("colour-true", "", 'role="radio"')}${button("colour-answer", "", 'role="radio"')}
      </div>
      <div class="dsv-tools">
        <span class="dsv-count" data-el="selected" data-testid="stage-selected"></span>${button("clear", ICONS.cross)}
        ${button("move", ICONS.move)}${button("lasso", ICONS.lasso)}
        ${button("zoom-in", ICONS.plus)}${button("zoom-out", ICONS.minus)}${button("reset", ICONS.whole)}
      </div>
    </div>
    <p class="dsv-name" data-el="cluster" data-testid="cluster-name"></p>
    <div class="dsv-field" data-el="field">
      <div class="dsv-plot" role="img" data-el="plot" data-testid="map"></div>
      <svg class="dsv-over" aria-hidden="true"><path class="dsv-outline" data-el="outline" data-testid="outline"/></svg>
      <div class="dsv-names" data-el="names" data-testid="class-names" aria-hidden="true"></div>
      <p class="dsv-tip" data-el="tip" role="tooltip" hidden></p>
      <div class="dsv-empty" data-el="empty" data-testid="stage-empty" hidden>${SKETCH}
        <strong data-el="empty-title"></strong><span data-el="empty-text"></span></div>
    </div>
    <ul class="dsv-legend" data-el="legend" data-testid="legend"></ul>
  </section>`;

const TRANSPORT = `
  <section class="dsv-transport" data-testid="transport">
    <div class="dsv-keys">${button("back", ICONS.back)}${button("play", ICONS.play, 'data-primary="true"')}${button("forward", ICONS.forward)}</div>
    <input type="range" min="0" max="0" step="1" value="0" data-el="slider" data-testid="playhead">
    <div class="dsv-segments" role="radiogroup" data-el="speed">
      ${["0.5", "1", "2"].map((x) => button(`speed-${x}`, `${x}×`, `role="radio" data-speed="${x}"`)).join("")}
    </div>
    ${button("live", '<span class="dsv-dot"></span><span data-el="live-name"></span>')}
    <p class="dsv-place"><span data-el="place" data-testid="frame-counter"></span><span data-el="status" data-testid="stage-status"></span></p>
  </section>`;

const PANEL = `
  <section class="dsv-panel">
    <dl class="dsv-tiles">${tile("asr", "none")}${tile("ba", "6 3")}${tile("dissolved", "2 3")}</dl>
    <div class="dsv-curves" data-el="curves-box" role="img">
      <div class="dsv-curves-plot" data-el="curves" data-testid="curves"></div>
      <svg class="dsv-over" aria-hidden="true"><rect class="dsv-shade" data-el="shade"/><g class="dsv-head" data-el="head">
        <line/><circle r="4" class="dsv-fill-dissolved"/><circle r="4" class="dsv-fill-ba"/><circle r="4" class="dsv-fill-asr"/></g></svg>
      <div class="dsv-surface" data-el="surface"></div>
    </div>
    <p class="dsv-quiet" data-el="trust" data-testid="trustworthiness"></p>
    <div class="dsv-trigger" data-el="trigger" data-testid="trigger" hidden>
      <figure><img alt="" data-el="trigger-image"><figcaption data-el="trigger-title"></figcaption></figure>
      <figure data-el="trigger-on"><img alt="" data-el="trigger-on-image"><figcaption data-el="trigger-on-title"></figcaption></figure>
    </div>
  </section>`;

const EXAMPLES = `
  <section class="dsv-examples" data-el="examples" data-testid="examples" hidden>
    <p data-el="examples-title"></p><ul data-el="examples-row"></ul>
  </section>`;

/** The stage's root and its named nodes: {root, el: {name: node}}. */
export function makeView() {
  const root = document.createElement("div");
  root.className = "dsv";
  root.dataset.testid = "stage";
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.innerHTML = `<div class="dsv-grid">${MAP}${TRANSPORT}${PANEL}${EXAMPLES}</div><p class="dsv-hidden" aria-live="polite" data-el="summary"></p>`;
  const el = {};
  for (const node of root.querySelectorAll("[data-el]")) el[node.dataset.el] = node;
  return { root, el };
}
