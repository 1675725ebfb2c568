"""A scan whose verdict is unclear is made on a second draw, and the mean of both counts."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import torch

from core.compute.returning import Returning
from core.scan.inversion import Inverted
from core.scan.scan import Scan, suspicion
from core.scan.search_progress import SearchProgress
from core.scan.second_draw import mean_if_unclear, mean_of, scan_twice_if_unclear
from core.scan.verdict import judge
from tests.core.tiny import Tiny


def scan_of(*sizes: float) -> Scan:
    """A scan of one form, without masks, whose triggers have these sizes on images of 16 x 16."""
    form = Inverted(
        "pixel", None, torch.zeros(len(sizes), 3, 16, 16), torch.tensor(sizes).float(), torch.ones(len(sizes))
    )
    score = suspicion((form,))
    return Scan((form,), score, int(score.argmax()))


# octaves below the median of 64 by which one class lies: 3, 1, 0 and 5; the last is decisive
SOME, LITTLE, NONE, STRONG = (
    scan_of(64, 64 / 2**octaves, 64, other, 64) for octaves, other in ((3, 20), (1, 40), (0, 64), (5, 40))
)
ELSEWHERE = scan_of(64, 64, 64, 20, 8)


def drawn(found: Scan, begun: list[Scan]) -> Generator[tuple[int, int], None, Scan]:
    begun.append(found)
    yield 1, 2
    yield 2, 2
    return found


@pytest.mark.parametrize(("first", "draws"), [(STRONG, 1), (NONE, 1), (SOME, 2)])
def test_only_an_unclear_verdict_is_asked_for_twice(first: Scan, draws: int) -> None:
    begun: list[Scan] = []
    search = Returning(mean_if_unclear(drawn(first, begun), drawn(LITTLE, begun)))
    assert list(search) == [(1, 2), (2, 2)] * draws
    assert begun == [first, LITTLE][:draws]
    assert (search.result is first) == (draws == 1)


def test_the_verdicts_here_are_those_that_are_meant() -> None:
    assert [judge(one).grade for one in (SOME, LITTLE, NONE, STRONG)] == ["some", "none", "none", "strong"]


def test_a_sign_that_does_not_come_back_is_none() -> None:
    found = mean_of(SOME, LITTLE)
    assert found.suspicion[1] == pytest.approx(2.0)
    assert judge(found).grade == "none"


def test_a_sign_that_comes_back_stays_with_the_triggers_of_the_clearer_draw() -> None:
    for found in (mean_of(SOME, scan_of(64, 64 / 2**2.8, 64, 20, 64)), mean_of(scan_of(64, 7.0, 64, 20, 64), SOME)):
        assert found.target == 1
        assert judge(found).grade == "some"
        assert float(found.forms[0].sizes[1]) <= 8.0


def test_two_draws_that_name_different_classes_name_none() -> None:
    found = mean_of(SOME, ELSEWHERE)
    assert judge(SOME).grade == judge(ELSEWHERE).grade == "some"
    assert found.suspicion.tolist() == pytest.approx([0, 1.5, 0, 1.68, 1.5], abs=0.01)
    assert judge(found).grade == "none"


def test_a_second_draw_that_would_be_decisive_alone_is_weighed_like_any_other() -> None:
    settled = scan_of(64, 64, 64, 64, 2.0)
    assert settled.decisive
    assert judge(settled).sure
    found = mean_of(SOME, settled)
    assert found.target == 4
    assert found.suspicion[4] == pytest.approx(2.5)
    assert judge(found).grade == "none"
    assert not judge(found).sure


def test_a_second_draw_is_the_other_half_of_the_work_and_begins_with_the_first_form(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([SOME, LITTLE])

    def made(model: object, images: object, seed: int, progress: SearchProgress) -> object:
        progress.begin(5, torch.device("cpu"))
        yield 1, 300
        yield 300, 300
        return next(found)

    monkeypatch.setattr("core.scan.second_draw.scan", made)
    progress = SearchProgress()
    told = [(step, progress.draw, progress.number) for step in scan_twice_if_unclear(tiny.model, tiny.x, 0, progress)]
    assert told == [
        ((1, 300), 1, 1), ((300, 300), 1, 1), ((150, 300), 2, 1), ((300, 300), 2, 1),
    ]  # fmt: skip


def test_a_clear_sign_takes_one_draw(tiny: Tiny) -> None:
    search = Returning(scan_twice_if_unclear(tiny.model, tiny.x))
    seen = [done for done, _ in search]
    assert seen == sorted(seen), "a second draw begins anew"
    assert search.result.target == tiny.target
