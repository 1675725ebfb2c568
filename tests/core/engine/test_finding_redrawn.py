"""The scan of a run whose verdict on the first draw is unclear. The scans themselves are made up."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.events import Event, Progress, Rescan, Scanned, Searched, StageStarted
from core.models.classifier import Classifier
from core.runs.record import Run
from core.scan.inversion import Inverted
from core.scan.scan import Scan, suspicion
from core.scan.search_progress import SearchProgress
from core.triggers.reconstructed import PUSH, Confidence
from tests.core.whole_runs import Done, do, stop_at

UNITS, CLASSES = 300, 10


def unclear(size: float) -> Scan:
    """A scan that names class 4 by one form, without masks."""
    sizes = torch.full((CLASSES,), 64.0)
    sizes[4], sizes[5] = size, 20.0
    form = Inverted("pixel", None, torch.zeros(CLASSES, 3, 16, 16), sizes, torch.ones(CLASSES))
    score = suspicion((form,))
    return Scan((form,), score, int(score.argmax()))


@pytest.fixture
def redrawn(stranger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Done:
    """A run up to the end of its scan, which is made twice: of 300 units each tells of every tenth."""
    draws: Iterator[Scan] = iter([unclear(8.0), unclear(7.5)])

    def scan(
        model: Classifier, images: Tensor, seed: int, progress: SearchProgress
    ) -> Generator[tuple[int, int], None, Scan]:
        found = next(draws)
        for form in ("mask", "pixel"):
            progress.begin(CLASSES, torch.device("cpu"))
            for step in range(15):
                progress.note(form, torch.arange(CLASSES), torch.ones(CLASSES), found.forms[0].sizes)
                yield (progress.number - 1) * 150 + 10 * (step + 1), UNITS
        return found

    monkeypatch.setattr("core.scan.second_draw.scan", scan)
    return do(tmp_path, stop_at("purify"), victim=None, weights=str(stranger), map=False)


def test_a_second_draw_is_told_and_its_progress_counts_on_from_half(redrawn: Done) -> None:
    began = redrawn.events.index(StageStarted("scan"))
    told: list[Event] = redrawn.events[began:]
    assert redrawn.of(Rescan) == [Rescan("unclear")]
    at = told.index(Rescan("unclear"))
    first, second = ([one for one in part if isinstance(one, Progress)] for part in (told[:at], told[at:]))
    assert [one.done for one in first] == list(range(10, UNITS + 1, 10))
    assert [one.done for one in second] == list(range(155, UNITS + 1, 5))
    assert len({one.total for one in (*first, *second)}) == 1
    forms = [(one.form, one.number) for one in told[at:] if isinstance(one, Searched)]
    assert forms[0] == ("mask", 1), "it begins with the first form again"
    assert forms[-1] == ("pixel", 2)


def test_the_mean_of_both_draws_is_on_record_with_the_triggers_of_the_clearer_one(redrawn: Done) -> None:
    (event,) = redrawn.of(Scanned)
    assert (event.target, event.verdict) == (4, "some")
    assert event.suspicion[4] == pytest.approx((3 + 3.09) / 2, abs=0.01), "octaves below 64: of 8 and of 7.5"
    assert event.mask_sizes[4] == 7.5
    found = Run(redrawn.run.folder).triggers()
    assert found is not None
    assert set(found.push.tolist()) == {PUSH[Confidence.DOUBTFUL]}
