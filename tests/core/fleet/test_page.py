"""The summary of a fleet: one self-contained sheet, safe whatever models are called, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from core.fleet import page, run_files
from core.fleet.listing import Entry
from core.fleet.place import Standing
from core.fleet.risk import BANDS
from core.fleet.rows import Row, ranked, row
from core.fleet.step import Step
from core.runs.record import Run
from core.words import LANGUAGES, Words, catalogue
from tests.core.report.test_page import HOSTILE, check

Make = Callable[..., Run]
BASE = Row("a.pt", "/a.pt", "digits")
SIGNS = replace(BASE, verdict="strong", target=3, target_name="three", ba=90.0, asr_before=97.0, risk=80.0,
                step="purify", step_seconds=120.0)  # fmt: skip
CLEAN = replace(BASE, file="b.pt", verdict="none", ba=91.0, asr_before=98.0, risk=5.0, step="watch", step_seconds=30.0)
BROKEN = replace(BASE, file="c.pt", error="It is broken.", code="broken", step="mend")


def standing(*rows: Row) -> Standing:
    return Standing(
        ranked(rows), 75.0, "local", 2, "done", created="2026-03-04T05:06:07+00:00", machine={"cpu": "Test"}
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sheet_is_whole_by_itself_and_shows_triggers(make_run: Make, tmp_path: Path, language: str) -> None:
    run = make_run(tmp_path / "x.pt")
    run_files.keep_picture(run, tmp_path / "fleet")
    found = row(Entry("x.pt", str(tmp_path / "x.pt"), "digits", "Ada", "sorting", 4), run)
    text = page.build(standing(found, CLEAN, BROKEN), tmp_path / "fleet", Words(language))
    seen = check(text)
    assert f'<html lang="{language}">' in text
    assert text.count("data:image/png;base64,") == 1
    for said in ("x.pt", "three", "Ada", "sorting", "97.0", "b.pt", "c.pt", "It is broken.", "Test"):
        assert said in seen.text
    assert "98.0" not in seen.text, "an estimate without signs says nothing"


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_strangers_are_text(tmp_path: Path, language: str) -> None:
    named = replace(SIGNS, file=HOSTILE, owner=HOSTILE, use=HOSTILE, target_name=HOSTILE, images=HOSTILE)
    rows = (named, replace(BROKEN, file=HOSTILE, error=HOSTILE))
    assert HOSTILE in check(page.build(standing(*rows), tmp_path / HOSTILE.replace("/", ""), Words(language))).text


def test_a_large_fleet_is_still_one_sheet_with_the_highest_risks(tmp_path: Path) -> None:
    rows = [replace(CLEAN, file=f"model {number:03}", risk=number / 10) for number in range(400)]
    faults = [replace(BROKEN, file=f"fault {number:02}") for number in range(12)]
    text = check(page.build(standing(*rows, *faults), tmp_path, Words("en"))).text
    assert "model 399" in text
    assert f"model {400 - page.SHOWN_MODELS - 1:03}" not in text
    assert f"{400 - page.SHOWN_MODELS} more in fleet.csv" in text
    assert f"{12 - page.NAMED_FAULTS} more in fleet.csv" in text


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ((SIGNS, CLEAN, BROKEN), ("1 of 3 models show signs", "Left to purify: 1, about 2 min", "Not looked at: 1")),
        ((CLEAN, BROKEN), ("in any of 1 models", "no proof")),
        ((SIGNS, BASE), ("1 of 2 models have been looked at",)),
        ((replace(SIGNS, cure="doubt", step="review", ba_after=89.0, asr_after=1.5),), ("in doubt for 1", "→ 1.5")),
    ],
)
def test_the_lead_says_what_the_fleet_comes_to(tmp_path: Path, rows: tuple[Row, ...], says: tuple[str, ...]) -> None:
    text = check(page.build(standing(*rows), tmp_path, Words("en"))).text.replace("\N{NO-BREAK SPACE}", " ")
    assert [one for one in says if one not in text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_and_verdict_has_its_words(language: str) -> None:
    words = catalogue(language)
    assert [name for name in get_args(Step) if f"fleet.step.{name}" not in words] == []
    assert [name for name in BANDS if f"fleet.count.{name}" not in words] == []


def test_it_is_written_into_the_fleets_folder(tmp_path: Path) -> None:
    written = page.write(standing(SIGNS), tmp_path / "fleet", "ja")
    assert written == tmp_path / "fleet" / "fleet.html"
    assert "モデル一括検査報告書" in written.read_text(encoding="utf-8")
