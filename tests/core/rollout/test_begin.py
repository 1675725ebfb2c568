"""A roll-out is begun from the page: the command that it sets to work, with the rule that was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.cli.parser import parser
from core.errors import BadInput
from core.rollout import begin, place
from core.rollout.rule import Rule
from core.runs.record import Run
from tests.conftest import Started


def test_the_command_has_the_rule_as_it_was_given(run: Run, tmp_path: Path, no_worker_starts: Started) -> None:
    rule = Rule(images=1_234_567, share=12.5, disagreement=3.0, ba_loss=0.1)
    begin.start(run, tmp_path, rule)
    (words,) = no_worker_starts
    asked = parser().parse_args(words[1:])
    assert {name: getattr(asked, name) for name in ("images", "share", "disagreement", "ba_loss")} == {
        "images": 1_234_567, "share": 12.5, "disagreement": 3.0, "ba_loss": 0.1,
    }  # fmt: skip
    assert (asked.inbox, asked.note, begin.inbox_of(run)) == (tmp_path, True, tmp_path)
    job = begin.job(run)
    assert job is not None
    assert job.at_work


def test_without_a_rule_it_is_that_of_before(run: Run, tmp_path: Path, no_worker_starts: Started) -> None:
    begin.start(run, tmp_path)
    assert "--images" not in no_worker_starts[0]


def test_a_folder_that_is_not_there_begins_nothing(run: Run, tmp_path: Path, no_worker_starts: Started) -> None:
    with pytest.raises(BadInput) as fault:
        begin.start(run, tmp_path / "none")
    assert (fault.value.code, no_worker_starts, begin.inbox_of(run)) == ("inbox_not_found", [], None)
    assert not place.folder_of(run).exists()
