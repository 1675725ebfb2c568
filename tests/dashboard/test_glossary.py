"""One glossary: one sentence per term in both languages, and no term named anywhere that it does not hold."""

from __future__ import annotations

import re

import pytest

from dashboard import glossary, i18n
from dashboard.glossary import TERMS

BOTH = pytest.mark.parametrize("lang", ["en", "ja"])


@BOTH
@pytest.mark.parametrize("key", TERMS)
def test_a_term_is_explained_in_one_sentence(key: str, lang: str) -> None:
    name, text = glossary.term(key, lang)
    ends = text.count("。") if lang == "ja" else len(re.findall(r"[.!?](?=\s|$)", text))
    assert name
    assert ends == 1, text
    assert text.endswith("。" if lang == "ja" else ".")


def test_the_catalogues_hold_no_term_besides() -> None:
    told = {key.split(".")[1] for key in i18n.catalogue("en") if key.startswith("term.")}
    assert told == set(TERMS)


@BOTH
def test_sentences_name_only_terms_that_are_there_and_the_same_ones(lang: str) -> None:
    for key, sentence in i18n.catalogue(lang).items():
        if key.startswith(("story.", "explore.room.")):
            assert set(glossary.named(sentence)) <= set(TERMS), key
            assert set(glossary.named(sentence)) == set(glossary.named(i18n.catalogue("en")[key])), key


def test_a_named_term_brings_its_explanation() -> None:
    made = glossary.html("reads 95 % <well> ([accuracy](ba)).", "en")
    assert made.startswith("reads 95 % &lt;well&gt; (<span")
    assert ">accuracy<" in made
    assert i18n.catalogue("en")["term.ba.text"] in made
    assert made.endswith(").")
    assert glossary.plain("reads 95 % ([accuracy](ba)).") == "reads 95 % (accuracy)."


@pytest.mark.parametrize("act", [lambda: glossary.term("nonsense", "en"), lambda: glossary.html("[a](nonsense)", "en")])
def test_a_term_that_is_not_there_is_an_error(act) -> None:
    with pytest.raises(KeyError):
        act()
