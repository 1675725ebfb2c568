/** The foot of every screen: where one is, full screen, and the keys of a presenter. */

const ICON = '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3.5 7.500v-4h4M12.5 3.500h4v4M16.5 12.500v4h-4M7.5 16.500h-4v-4"/></svg>';
const bars = new WeakMap();

class Bar {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "sty-foot";
    this.root.innerHTML = `<ol></ol><button type="button" data-testid="full">${ICON}</button><p class="sty-hidden" role="status"></p>`;
    [this.dots, this.full, this.said] = this.root.children;
    this.onKey = (event) => this.#key(event);
    this.dots.addEventListener("click", (event) => {
      const node = event.target.closest("button");
      if (node) this.go(Number(node.dataset.step));
    });
    this.full.addEventListener("click", () => this.#full());
    document.addEventListener("keydown", this.onKey);
    parent.append(this.root);
  }

  accept({ data, setTriggerValue }) {
    const { step, waits, titles, labels, texts } = data;
    Object.assign(this, { step, waits });
    this.go = (wanted) => setTriggerValue("go", wanted);
    if (this.dots.childElementCount !== titles.length) {
      this.dots.innerHTML = titles.map((_, k) => `<li><button type="button" data-step="${k + 1}"></button></li>`).join("");
    }
    [...this.dots.children].forEach((item, k) => {
      const node = item.firstElementChild;
      node.setAttribute("aria-label", labels[k]);
      node.title = titles[k];
      if (k + 1 === step) node.setAttribute("aria-current", "step");
      else node.removeAttribute("aria-current");
    });
    this.dots.setAttribute("aria-label", texts.steps);
    this.full.setAttribute("aria-label", texts.full);
    this.full.title = texts.full_help;
    this.said.textContent = labels[step - 1];
  }

  #full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (document.documentElement.requestFullscreen) document.documentElement.requestFullscreen().catch(() => null);
  }

  /** Arrows and the page keys that a presenter's remote sends; a screen may take "next" for itself first. */
  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !this.root.isConnected) return;
    if (event.target.closest("input, textarea, select, [contenteditable=true], [role=dialog], [role=listbox]")) return;
    const acts = {
      ArrowRight: () => this.#next(),
      PageDown: () => this.#next(),
      ArrowLeft: () => this.#press("story_back"),
      PageUp: () => this.#press("story_back"),
      Home: () => this.go(1),
      f: () => this.#full(),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  #next() {
    const scene = document.querySelector("[data-testid=scene]");
    if (this.step === this.waits && scene && scene.dataset.mode !== "stick") return; // that screen is still on its way
    if (document.dispatchEvent(new CustomEvent("dissolve-next", { cancelable: true }))) this.#press("story_next");
  }

  #press(key) {
    const node = document.querySelector(`.st-key-${key} button:not(:disabled)`);
    if (node) node.click();
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    this.root.remove();
  }
}

export default function (component) {
  const parent = component.parentElement;
  if (!bars.has(parent)) bars.set(parent, new Bar(parent));
  const bar = bars.get(parent);
  bar.accept(component);
  return () => setTimeout(() => {
    if (bar.root.isConnected) return;
    bars.delete(parent);
    bar.destroy();
  }, 50);
}
