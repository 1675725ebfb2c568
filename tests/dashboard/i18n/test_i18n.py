"""All catalogues say everything, with the same facts, and the engine raises nothing they cannot say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from core.attacks import ATTACKS
from core.data import IMAGE_SETS
from core.data.inputs import COLOURS, NORMALIZATIONS
from core.data.signs_faces import CLASS_NAMES
from core.dataroom import FILTERS, THEN
from core.defenses import DEFENCES
from core.events import STAGES
from core.explore.settled import METRICS, SUPERVISIONS
from core.fleet.recording import MODELS
from core.fleet.step import Step
from core.intake import inspection, uploads
from core.report.proof import REASONS, STATES, TESTS
from core.report.repeated import Further
from core.stress.settings import NAMES
from core.watch import recording as stream
from core.words import LANGUAGES
from dashboard import fleet_data, i18n
from dashboard.components import explore, story
from dashboard.components.examined import LIMITS
from dashboard.components.stage_payload import TEXT_KEYS
from dashboard.glossary import TERMS
from dashboard.views import PAGES
from dashboard.views.about import PARTS
from dashboard.views.story import STEPS

ROOT = Path(__file__).resolve().parents[3]
CATALOGUES = {language: i18n.catalogue(language) for language in i18n.LANGUAGES}
ENGLISH = CATALOGUES["en"]
# Faults whose code is put together at run time, with the facts they carry. Where such a code is raised is counted
# below, so that a new place cannot slip through.
MADE_UP = {
    **{f"unknown_{what}": {"value", "allowed"} for what in ("defence", "preset", "projection", "normalization")},
    **{f"unknown_{what}": {"value", "allowed"} for what in ("device", "victim", "accept")},
    **{f"bad_{what}": {"value", "least", "most"} for what in ("dims", "points", "seed", "repeats")},
}
# core/runs/spec.py: _not_among, and the numbers
MADE_UP_PLACES = 2


def trees(*folders: str) -> Iterator[ast.AST]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"))


def calls(name: str, *folders: str) -> Iterator[ast.Call]:
    for tree in trees(*folders):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name in (getattr(node.func, "id", ""), getattr(node.func, "attr", "")):
                yield node


@cache
def faults() -> tuple[dict[str, set[str]], int]:
    """Each literal code with the facts that every place gives, and the number of places with a code made up there."""
    found: dict[str, set[str]] = {}
    made_up = 0
    for call in calls("BadInput", "core", "dashboard"):
        if isinstance(call.args[0], ast.Constant):
            facts = {word.arg for word in call.keywords if word.arg}
            code = str(call.args[0].value)
            found[code] = found.get(code, facts) & facts
        elif not any(isinstance(part, ast.Starred) for part in call.args):
            made_up += 1
    return found, made_up


def test_all_catalogues_hold_the_same_keys() -> None:
    assert i18n.LANGUAGES.keys() == set(LANGUAGES)
    for language, catalogue in CATALOGUES.items():
        assert catalogue.keys() == ENGLISH.keys(), language


def test_a_sentence_names_the_same_facts_in_every_language() -> None:
    assert [key for key in ENGLISH if not all(catalogue[key].strip() for catalogue in CATALOGUES.values())] == []
    facts = {key: {frozenset(i18n.placeholders(each[key])) for each in CATALOGUES.values()} for key in ENGLISH}
    assert [key for key, named in facts.items() if len(named) > 1] == []


def test_every_sentence_the_pages_ask_for_exists() -> None:
    for name in ("t", "sentence", "translate"):
        for call in calls(name, "dashboard"):
            place = 1 if name == "translate" else 0
            if len(call.args) > place and isinstance(call.args[place], ast.Constant):
                key = call.args[place].value
                assert key in ENGLISH, key
                given = {word.arg for word in call.keywords}
                if name == "t":
                    assert i18n.placeholders(ENGLISH[key]) == given, key


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("stage.{}", TEXT_KEYS),
        ("phase.{}", (*STAGES, "done", "now", "todo", "halted")),
        ("phase.{}_help", STAGES),
        ("status.{}", ("queued", "running", "paused", "done", "stopped", "failed", "lost", "recording")),
        ("lead.{}", ("queued", "running", "paused", "stopped")),
        ("verdict.{}", ("strong", "some", "none")),
        ("verdict.short.{}", ("strong", "some", "none")),
        ("look.step.{}", inspection.STEPS),
        ("look.doing.{}", inspection.STEPS),
        ("scaling.{}", NORMALIZATIONS),
        ("colour.{}", ("rgb", *COLOURS)),
        ("kept.{}", uploads.LARGEST),
        ("give.{}", uploads.LARGEST),
        ("limits.{}", LIMITS),
        ("order.do.{}", ("purify", "scan")),
        ("examine.{}", ("purified", "purified_none", "not_held", "graded", "graded_none", "not_cured")),
        ("cure.{}", STATES),
        ("cure.{}.text", STATES),
        ("cure.short.{}", STATES),
        ("cure.next.{}", (*STATES, "images", "unknown", "not_held")),
        ("cure.next.further.{}", get_args(Further)),
        ("lead.rescan.{}", ("unclear", "statistics")),
        ("cure.out.{}", ("not_held", "failed", "accepted", "doubt")),
        ("proof.{}.bare", REASONS),
        ("proof.{}.good", TESTS),
        ("proof.{}.bad", TESTS),
        ("story.cure.{}", STATES),
        ("take.{}", ("doubt", "failed")),
        ("defence.{}", DEFENCES),
        ("defence.{}.short", DEFENCES),
        ("defence.{}.text", DEFENCES),
        ("defence.{}.plain", DEFENCES),
        ("fleet.group.{}", fleet_data.GROUPS),
        ("fleet.order.{}", fleet_data.ORDERS),
        ("fleet.doing.{}", ("scan", "purify", "done")),
        ("fleet.take.{}", ("summary", "table")),
        ("fleet.open.{}", ("scan", "cure")),
        ("fleet.table.{}", fleet_data.SHORT),
        ("fleet.short.{}", get_args(Step)),
        ("fleet.recorded.{}", {name.lower().replace(" ", "_") for one in MODELS for name in (one.owner, one.use)}),
        ("watch.part.{}", stream.PARTS),
        ("watch.recorded.{}", stream.MODELS),
        ("watch.recorded.until.{}", stream.MODELS),
        ("compare.asr_{}", ("true", "estimated")),
        ("act.{}", ("pause", "resume", "retry", "stop")),
        ("about.{}", PARTS),
        ("about.{}_title", PARTS),
        ("term.{}", TERMS),
        ("term.{}.text", TERMS),
        ("story.scene.{}", story.TEXT_KEYS),
        ("data_room.filter.{}", FILTERS),
        ("data_room.filter.{}.text", FILTERS),
        ("data_room.stage.{}", ("load", "train", "look", "filter", "scan", "then")),
        ("data_room.then.{}", ("before", *THEN)),
        ("data_room.map.{}", ("flagged", "missed", "suspected", "others")),
        ("nav.{}", PAGES),
        ("explore.room.{}", explore.TEXT_KEYS),
        ("explore.job.{}", ("base", "map", "saliency", "settled", "settled_load", "place")),
        ("corruption.{}", NAMES),
        ("settled.metric.{}", METRICS),
        ("settled.supervised.{}", SUPERVISIONS),
        ("explore.missing.{}", ("images", "pictures", "going", "weights", "own_class", "after")),
        ("story.title.{}", STEPS),
        ("story.do.{}", ("measure", "purify", "watch")),
        ("story.do.{}_text", ("measure", "purify", "watch")),
        ("class.signs.{}", CLASS_NAMES),
        ("class.digits.{}", "0123456789"),
        ("attack.{}", ATTACKS),
        ("triggered.{}", ATTACKS),
        ("data.{}", IMAGE_SETS),
        ("outcome.{}_note", ("true", "estimated")),
        ("outcome.asr_{}", ("true", "estimated")),
    ],
)
def test_every_sentence_whose_key_is_put_together_exists(pattern: str, names: tuple[str, ...]) -> None:
    assert [name for name in names if pattern.format(name) not in ENGLISH] == []


def test_every_class_of_the_real_image_sets_has_a_name() -> None:
    from core.data.torchvision_sets import CIFAR10_CLASSES, GTSRB_CLASSES

    assert [name for name in CIFAR10_CLASSES if f"class.cifar10.{name}" not in ENGLISH] == []
    assert [name for name in GTSRB_CLASSES if f"class.gtsrb.{name}" not in ENGLISH] == []


def test_every_fault_can_be_told_in_both_languages() -> None:
    found, made_up = faults()
    assert made_up == MADE_UP_PLACES
    for code, facts in [*found.items(), *MADE_UP.items()]:
        assert f"error.{code}" in ENGLISH, code
        assert i18n.placeholders(ENGLISH[f"error.{code}"]) <= facts, code


def test_no_sentence_for_a_fault_is_left_over() -> None:
    told = {key.removeprefix("error.") for key in ENGLISH if key.startswith("error.")}
    assert told == set(faults()[0]) | set(MADE_UP)


def test_a_missing_sentence_is_an_error() -> None:
    with pytest.raises(KeyError):
        i18n.translate("ja", "no.such.key")
    with pytest.raises(KeyError):
        i18n.translate("en", "unit.percent")


@pytest.mark.parametrize(
    ("locale", "language"), [("ja", "ja"), ("ja-JP", "ja"), ("JA", "ja"), ("en-US", "en"), ("de", "en"), (None, "en")]
)
def test_a_locale_leads_to_a_language(locale: str | None, language: str) -> None:
    assert i18n.from_locale(locale) == language


def test_a_fault_of_a_newer_engine_is_told_in_its_own_words() -> None:
    assert i18n.error("from_the_future", "The engine's words.", {}) == "The engine's words."
    assert i18n.error("run_not_found", "The engine's words.", {}) == "The engine's words."  # lacks the fact


def test_no_name_of_a_strangers_file_becomes_a_picture_or_a_link() -> None:
    assert i18n.unmarked("![x](https:a.b) :red[y]") == r"\!\[x\](https\:a.b) \:red\[y\]"
    assert i18n.unmarked("/photos/a.zip") == "/photos/a.zip"
    assert i18n.unmarked(1200) == 1200


def test_no_name_begins_a_heading_or_a_list() -> None:
    assert [i18n.unmarked(name) for name in ("# a", "- a", "+ a", "12. a", "3) a", "a-b.zip")] == [
        r"\# a", r"\- a", r"\+ a", r"12\. a", r"3\) a", "a-b.zip",
    ]  # fmt: skip
