from __future__ import annotations

from typing import Any

import pytest

from core.stress import verdict
from core.stress.paired import Paired
from core.stress.settings import NAMES
from core.words import LANGUAGES, catalogue


def cell(name: str, lost: int, gained: int, images: int = 100) -> dict[str, Any]:
    after = 90.0 - 100 * (lost - gained) / images
    return {
        "corruption": name, "strength": 3, "ba_before": 90.0, "ba_after": after, "loss": 90 - after,
        "asr_before": 80.0, "asr_after": None, "chance": Paired(lost, gained).chance,
    }  # fmt: skip


def row(name: str, lost: int, gained: int, target: bool = False) -> dict[str, Any]:
    return {"name": name, "before": 90.0, "after": 90.0 - lost + gained, "loss": lost - gained,
            "target": target, "chance": Paired(lost, gained).chance}  # fmt: skip


def test_the_worst_the_average_and_whether_it_is_chance() -> None:
    cells = [cell("fog", 20, 0), cell("jpeg", 0, 5), cell("snow", 3, 0)]
    told = verdict.judged({"cells": cells, "classes": [row("stop", 2, 0), row("80", 15, 1)]})
    assert told["mean_loss"] == 6.0  # (20 - 5 + 3) / 3
    assert told["beyond_chance"] == 1
    assert (told["worst"]["corruption"], told["worst"]["beyond_chance"]) == ("fog", True)
    assert (told["worst_class"]["name"], told["worst_class"]["beyond_chance"]) == ("80", True)
    assert (told["mean_asr_before"], told["mean_asr_after"]) == (80.0, None)
    assert told["sentence"].startswith("In 1 of 3")
    assert "fog at strength 3" in told["sentence"]
    assert "−20.0" in told["sentence"]
    assert "−6.0" in told["sentence"]
    assert "霧" in told["sentence_ja"]


def test_a_loss_that_chance_explains_is_none() -> None:
    told = verdict.judged({"cells": [cell("fog", 3, 1), cell("jpeg", 2, 4)], "classes": [row("stop", 1, 1)]})
    assert told["beyond_chance"] == 0
    assert told["sentence"].startswith("In none of 2")
    assert not told["worst"]["beyond_chance"]


def test_the_target_class_is_suspected_beforehand_and_so_judged_alone() -> None:
    classes = [row(str(number), 0, 0) for number in range(11)] + [row("80", 14, 3, target=True)]
    told = verdict.judged({"cells": [cell("fog", 1, 1)], "classes": classes})
    assert told["worst_class"]["name"] == told["target_class"]["name"] == "80"
    assert not told["worst_class"]["beyond_chance"], "0.0064 is not rare among twelve"
    assert told["target_class"]["beyond_chance"]
    assert verdict.judged({"cells": [cell("fog", 1, 1)], "classes": classes[:-1]})["target_class"] is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_corruption_has_a_name(language: str) -> None:
    assert [name for name in ("none", *NAMES) if f"corruption.{name}" not in catalogue(language)] == []
