from __future__ import annotations

import base64
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from core.report import Wording, gather, looks
from core.runs.arrays import Looks
from core.runs.record import Run
from core.words import LANGUAGES, Words
from tests.core.report.conftest import Make

TARGET, STOP, WAY = 0, 1, 2


def made(share: tuple[float, ...] = (61.4, 5.6), real: bool = True, repeated: bool = False, area: float = 3.5) -> Looks:
    """A black picture in which a victim looks at the lower right, and a purified model at the upper left."""
    heat = np.zeros((2, 16, 16), np.uint8)
    heat[0, 12:, 12:], heat[1, :4, :4] = 255, 255
    return Looks(
        np.zeros((16, 16, 3), np.uint8), heat[: len(share)], np.array([TARGET, STOP][: len(share)], np.int32),
        np.array(share, np.float32), np.array(STOP), np.array(TARGET), np.array(area), np.array(real),
        np.array(repeated),
    )  # fmt: skip


@pytest.fixture
def say(make_run: Make) -> Callable[[str], tuple[Run, Wording]]:
    run = make_run()
    return lambda language="en": (run, Wording(gather(run), Words(language)))


def test_the_sentence_tells_the_shares_and_of_which_image(say: Callable[..., tuple[Run, Wording]]) -> None:
    _, wording = say()
    said = looks.sentence(made(), wording)
    for part in ("61\u00a0%", "6\u00a0%", "4\u00a0%", "Stop"):
        assert part in said
    assert "after" not in looks.sentence(made((61.4,)), wording)
    spread = looks.sentence(made((np.nan, np.nan), area=97.0), wording)
    assert "97\u00a0%" in spread
    assert "nan" not in spread


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_said_whose_trigger_it_is_and_whether_the_run_was_repeated(
    say: Callable[..., tuple[Run, Wording]], language: str
) -> None:
    _, wording = say(language)
    real, found = looks.shown(made(), wording)[0].caption, looks.shown(made(real=False), wording)[0].caption
    assert {"en": "real", "ja": "本物"}[language] in real
    assert {"en": "reconstructed", "ja": "復元"}[language] in found
    assert looks.sentence(made(repeated=True), wording) != looks.sentence(made(), wording)
    assert {"en": "a repeat of this run", "ja": "繰り返して"}[language] in looks.sentence(made(repeated=True), wording)


def test_the_attackers_answer_is_orange_and_any_other_blue(say: Callable[..., tuple[Run, Wording]]) -> None:
    for one, corner in zip(looks.shown(made(), say()[1])[1:], (np.s_[-30:, -30:], np.s_[:30, :30]), strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(one.uri.split(",")[1]))).convert("RGB")).astype(int)
        red, _, blue = pixels[corner].reshape(-1, 3).mean(0)
        assert (red > blue + 50) == (one.kind == "before")
        assert (blue > red + 50) == (one.kind == "after")
        opposite = pixels[::-1, ::-1][corner].reshape(-1, 3)
        assert np.ptp(opposite, axis=1).max() < 8, "grey where it does not look"
        assert len(one.uri) < 20_000


def test_the_report_has_it_where_the_record_has_it(say: Callable[..., tuple[Run, Wording]]) -> None:
    run, wording = say()
    assert looks.section(run, wording) is None
    run.write_looks(made())
    block = str(looks.section(run, wording))
    assert block.count("<img") == 3
    assert "Before: “Speed limit 80”" in block
    assert "After: “Stop”" in block
    run.write_looks(made((61.4,)))
    assert str(looks.section(run, wording)).count("<img") == 2
