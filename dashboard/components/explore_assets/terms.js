/** Sentences whose terms are explained where they stand, as the glossary has them: `[the words](term)`. */

const LINK = /\[([^\]]+)\]\((\w+)\)/g;

/** Writes a sentence into `node`; `terms`: [name, sentence] by term. */
export function explain(node, sentence, terms) {
  const parts = [];
  let last = 0;
  for (const found of sentence.matchAll(LINK)) {
    parts.push(sentence.slice(last, found.index), term(found[1], terms[found[2]]));
    last = found.index + found[0].length;
  }
  node.replaceChildren(...parts, sentence.slice(last));
}

function term(words, [name, sentence]) {
  const node = document.createElement("span");
  node.className = "dsx-term";
  node.tabIndex = 0;
  node.innerHTML = `<span class="dsx-meaning" role="tooltip"><b></b><span></span></span>`;
  node.prepend(words);
  node.querySelector("b").textContent = name;
  node.querySelector(".dsx-meaning > span").textContent = sentence;
  return node;
}
