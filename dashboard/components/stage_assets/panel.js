/** Everything beside the plots: words, figures, legend, transport and the row of examples. */

import { ICONS } from "./view.js";
import { change, clusterWords, cured, figure, fill, stillFooled, tally } from "./words.js";

const TILES = [["asr", "asr", 1], ["ba", "ba", 1], ["dissolved", "dissolution", 0]]; // node, metric, decimals
const TITLES = { move: "move", lasso: "lasso", "zoom-in": "zoom_in", "zoom-out": "zoom_out", reset: "reset_view", clear: "clear_selection", back: "back", forward: "forward" };

export class Panel {
  constructor(el) {
    this.el = el;
  }

  /** Words that stay while the payload does. */
  setWords(payload) {
    const { el } = this;
    const t = payload.texts;
    for (const [name, key] of Object.entries(TITLES)) label(el[name], t[key]);
    el["colour-by-name"].textContent = t.colour_by;
    el["colour-by"].setAttribute("aria-label", t.colour_by);
    el["colour-true"].textContent = t.colour_true;
    el["colour-answer"].textContent = t.colour_answer;
    el.speed.setAttribute("aria-label", t.speed);
    el.slider.setAttribute("aria-label", t.slider);
    for (const [name] of TILES) {
      el[`${name}-name`].textContent = t[name];
      el[`${name}-unit`].textContent = t.percent.replace("{value}", "").trim();
    }
    el["asr-kind"].textContent = payload.asrKind === "estimated" ? t.asr_estimated : t.asr_true;
    el["curves-box"].setAttribute("aria-label", t.curves_label);
    el["trigger-title"].textContent = t.trigger_title;
    el["trigger-image"].alt = t.trigger_title;
    el["trigger-on-title"].textContent = t.trigger_on;
    el["trigger-on-image"].alt = t.trigger_on;
    el["examples-title"].textContent = fill(t.examples_title, { count: payload.examples.length, things: payload.things });
    el.status.textContent = payload.status;
    el["empty-title"].textContent = payload.waiting[0];
    el["empty-text"].textContent = payload.waiting[1];
    setImage(el["trigger-image"], payload.trigger);
    setImage(el["trigger-on-image"], payload.triggerOn);
    el.trigger.hidden = !payload.trigger;
    el["trigger-on"].hidden = !payload.triggerOn;
    this.#makeExamples(payload);
  }

  #makeExamples(payload) {
    const { el } = this;
    el.examples.hidden = !payload.examples.length;
    const key = payload.run + payload.examples.map((example) => example.sample).join();
    if (key === this.exampleKey) return;
    this.exampleKey = key;
    el["examples-row"].replaceChildren(...payload.examples.map((example) => {
      const item = document.createElement("li");
      item.tabIndex = 0;
      item.dataset.testid = "example";
      item.innerHTML = '<span class="dsv-pictures"><img alt=""><img alt="" class="dsv-clean"><span class="dsv-verdict"></span></span><span class="dsv-words"><span class="dsv-answer"></span><span class="dsv-before"></span></span>';
      const [triggered, clean] = item.querySelectorAll("img");
      setImage(triggered, example.triggered_uri);
      setImage(clean, example.image_uri);
      return item;
    }));
  }

  /** One chip per class; `onPick(class)` isolates it. */
  setLegend(payload, onPick) {
    const key = JSON.stringify([payload.classes, payload.texts.misled]);
    if (key === this.legendKey) return;
    this.legendKey = key;
    const chips = payload.classes.map((name, k) => {
      const item = document.createElement("li");
      const chip = document.createElement("button");
      chip.type = "button";
      chip.className = "dsv-chip";
      chip.dataset.class = k;
      chip.innerHTML = symbol(...payload.marks[k]);
      chip.append(name);
      chip.addEventListener("click", () => onPick(k));
      item.append(chip);
      return item;
    });
    const rings = ["misled", "freed"].map((state) => {
      const item = document.createElement("li");
      item.className = "dsv-ring-key";
      item.dataset.state = state;
      item.innerHTML = '<svg viewBox="0 0 14 14" aria-hidden="true"><circle cx="7" cy="7" r="4.5"/></svg>';
      item.append(payload.texts[state]);
      return item;
    });
    this.el.legend.replaceChildren(...chips, ...rings);
  }

  markLegend({ texts, classes }, isolated) {
    for (const chip of this.el.legend.querySelectorAll("button")) {
      const k = Number(chip.dataset.class);
      chip.setAttribute("aria-pressed", String(k === isolated));
      chip.title = k === isolated ? texts.show_all : fill(texts.isolate, { name: classes[k] });
    }
    this.el.legend.dataset.isolated = isolated === null ? "" : "true";
  }

  /** Figures, answers and the sentence of one frame. */
  setFrame(payload, index, target) {
    const { el } = this;
    const whole = wholeSet(payload, index);
    const row = payload.metrics[index] && { ...payload.metrics[index], ...whole };
    const first = payload.metrics[0] && { ...payload.metrics[0], ...(whole && payload.whole[0]) };
    for (const name of ["asr", "ba"]) el[`${name}-value`].dataset.sample = String(!whole);
    for (const [name, metric, digits] of TILES) {
      el[`${name}-value`].textContent = row ? figure(row[metric], digits) : "–";
      const [arrow, size] = row ? change(first[metric], row[metric], digits) : ["", ""];
      el[`${name}-change`].textContent = arrow ? `${arrow} ${size}` : "";
      el[`${name}-change`].title = arrow ? fill(payload.texts.change, { value: size }) : "";
    }
    const faithful = row && row.trustworthiness !== null ? row.trustworthiness.toFixed(2) : null;
    el.trust.textContent = faithful === null ? "" : fill(payload.texts[whole ? "whole" : "trustworthiness"], { value: faithful });
    if (!row) return null;
    const counts = tally(payload, payload.frames[index], target);
    el.cluster.textContent = clusterWords(payload, counts, target);
    el.cluster.dataset.tone = stillFooled(counts) ? "attack" : cured(counts) ? "clean" : "open";
    this.#setExamples(payload, index, target);
    return counts;
  }

  #setExamples(payload, index, target) {
    const { texts, classes, labels, frames } = payload;
    [...this.el["examples-row"].children].forEach((item, k) => {
      const { sample } = payload.examples[k];
      const [now, before] = [frames[index].answers[sample], frames[0].answers[sample]];
      const right = now === labels[sample];
      item.dataset.right = String(right);
      item.dataset.fooled = String(!right && now === target); // an ordinary mistake is not the attack's doing
      const words = fill(right ? texts.example_right : texts.example_wrong, { truth: classes[labels[sample]], answer: classes[now] });
      const past = fill(texts.before, { answer: classes[before] });
      item.setAttribute("aria-label", `${words} ${past}`);
      const [answer, old] = [item.querySelector(".dsv-answer"), item.querySelector(".dsv-before")];
      item.querySelector(".dsv-verdict").innerHTML = right ? ICONS.tick : ICONS.cross;
      answer.textContent = classes[now];
      old.textContent = past;
    });
  }

  setTransport(payload, player) {
    const { el } = this;
    const t = payload.texts;
    const place = payload.frames.length ? player.frame : 0;
    const step = payload.metrics[place] ? payload.metrics[place].step : 0;
    const words = payload.frames.length ? fill(t.position, { frame: place + 1, frames: payload.frames.length, step }) : "";
    el.slider.max = Math.max(0, payload.frames.length - 1);
    el.slider.value = place;
    el.slider.style.setProperty("--dsv-part", payload.frames.length > 1 ? player.position / (payload.frames.length - 1) : 0);
    el.slider.setAttribute("aria-valuetext", words);
    if (el.place.textContent !== words) el.place.textContent = words;
    this.#setPlay(player.playing ? t.pause : t.play, player.playing);
    for (const node of [el.slider, el.play, el.back, el.forward]) node.disabled = !payload.frames.length;
    for (const speed of ["0.5", "1", "2"]) check(el[`speed-${speed}`], Number(speed) === player.speed);
    const following = player.playing && player.position > payload.frames.length - 1.5;
    el.live.hidden = !payload.live || !payload.frames.length;
    el.live.dataset.following = String(following);
    el["live-name"].textContent = following ? t.live : t.go_live;
  }

  #setPlay(words, playing) {
    if (this.el.play.dataset.playing === String(playing) && this.el.play.title === words) return;
    this.el.play.dataset.playing = String(playing);
    this.el.play.innerHTML = playing ? ICONS.pause : ICONS.play;
    label(this.el.play, words);
  }

  setLook(mode, flat, dragmode) {
    check(this.el["colour-true"], mode === "true");
    check(this.el["colour-answer"], mode === "answer");
    for (const name of ["move", "lasso", "zoom-in", "zoom-out"]) this.el[name].hidden = !flat;
    this.el.move.setAttribute("aria-pressed", String(dragmode === "pan"));
    this.el.lasso.setAttribute("aria-pressed", String(dragmode === "lasso"));
  }

  setSelection(payload, selection) {
    this.el.clear.hidden = !selection;
    this.el.selected.textContent = selection ? fill(payload.texts.selected, { count: selection.length, total: payload.points }) : "";
  }

  /** What a screen reader hears when the head comes to rest. */
  say(payload, index) {
    const row = payload.metrics[index] && { ...payload.metrics[index], ...wholeSet(payload, index) };
    if (!row) return;
    this.el.summary.textContent = fill(payload.texts.summary, {
      frame: index + 1, frames: payload.frames.length,
      asr: figure(row.asr, 1), ba: figure(row.ba, 1), dissolved: figure(row.dissolution, 0),
    });
  }

  showTip(payload, frame, id, x, y) {
    const { tip, field } = this.el;
    const { texts, classes, labels, triggered } = payload;
    tip.textContent = fill(triggered[id] ? texts.point_triggered : texts.point_clean, {
      truth: classes[labels[id]], answer: classes[frame.answers[id]], confidence: frame.confidence[id],
    });
    tip.hidden = false;
    const left = Math.max(4, Math.min(x + 14, field.clientWidth - tip.offsetWidth - 4));
    const top = y + 18 + tip.offsetHeight > field.clientHeight ? y - tip.offsetHeight - 12 : y + 18;
    tip.style.transform = `translate(${left}px, ${top}px)`;
  }
}

/** The figures of the whole test set where they stand for this frame: the first, and the last once no more will come. */
function wholeSet(payload, index) {
  const [before, after] = payload.whole;
  if (index === 0) return before;
  return index === payload.frames.length - 1 && !payload.live && before ? after : null;
}

function label(node, words) {
  node.title = words;
  node.setAttribute("aria-label", words);
}

function check(node, on) {
  node.setAttribute("aria-checked", String(on));
}

function setImage(node, uri) {
  if (uri && node.getAttribute("src") !== uri) node.setAttribute("src", uri);
}

/** A class's mark as on the map. */
function symbol(colour, shape) {
  const paths = {
    circle: '<circle cx="7" cy="7" r="5"/>',
    diamond: '<path d="M7 1l6 6-6 6-6-6z"/>',
    square: '<path d="M2.5 2.500h9v9h-9z"/>',
    cross: '<path d="M5 1.500h4V5h3.500v4H9v3.500H5V9H1.500V5H5z"/>',
    x: '<path d="M4.2 1.400L7 4.200l2.8-2.8 2.8 2.800L9.8 7l2.8 2.8-2.8 2.800L7 9.800l-2.8 2.8-2.8-2.800L4.2 7 1.4 4.200z"/>',
  };
  return `<svg class="dsv-mark" viewBox="0 0 14 14" aria-hidden="true" style="fill:${colour}">${paths[shape] || paths.circle}</svg>`;
}
