/** The nodes of the scene; made once. Words come later and may change language. */

export const MARKS = {
  right: '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M4.5 10.500l3.7 3.7 7.3-8"/></svg>',
  wrong: '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M5.5 5.500l9 9M14.5 5.500l-9 9"/></svg>',
};

const card = (name) => `
  <section class="sty-card" data-el="${name}" data-testid="answer-${name}">
    <p class="sty-label" data-part="label"></p>
    <div class="sty-answer"><img data-part="face" alt=""><p class="sty-name" data-part="name"></p></div>
    <div class="sty-bar" aria-hidden="true"><i data-part="bar"></i></div>
    <p class="sty-line"><span class="sty-mark" data-part="mark"></span><span data-part="verdict"></span><span class="sty-sure dz-term" tabindex="0"><span data-part="sure"></span><span class="dz-note" role="tooltip"><b data-part="term"></b><span data-part="meaning"></span></span></span></p>
  </section>`;

const NODES = `
  <div class="sty-stage">
    <div class="sty-board" data-el="board">
      <canvas data-el="canvas" role="img"></canvas>
      <i class="sty-ghost" data-el="ghost" data-testid="ghost" aria-hidden="true"></i>
      <button type="button" class="sty-sticker" data-el="sticker" data-testid="sticker"></button>
    </div>
    <div class="sty-cards">${card("before")}${card("after")}
      <button type="button" class="sty-put" data-el="put" data-testid="put"></button>
    </div>
  </div>
  <section class="sty-looks" data-el="looks" data-testid="looks">
    <figure class="before"><canvas role="img" data-el="seen-before"></canvas><b aria-hidden="true" data-el="tag-before"></b></figure>
    <figure class="after"><canvas role="img" data-el="seen-after"></canvas><b aria-hidden="true" data-el="tag-after"></b></figure>
    <p data-el="looked"></p>
  </section>
  <div class="sty-strip">
    <div class="sty-signs" role="radiogroup" data-el="signs"></div>
    <p class="sty-count" data-el="count" data-testid="count"></p>
    <p class="sty-key" data-el="key" data-testid="key"></p>
  </div>
  <p class="sty-hidden" role="status" data-el="said"></p>`;

/** {root, el}: the scene's node and its parts by name. */
export function makeView() {
  const root = document.createElement("div");
  root.className = "sty";
  root.dataset.testid = "scene";
  root.innerHTML = NODES;
  const el = Object.fromEntries([...root.querySelectorAll("[data-el]")].map((node) => [node.dataset.el, node]));
  return { root, el };
}
