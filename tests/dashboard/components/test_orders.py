"""The last step before an examination: what was shown and chosen is what is ordered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.runs.spec import Spec
from tests.dashboard.conftest import words
from tests.dashboard.examinations import KEY, RESULT, Open, checked


def test_start_orders_what_was_shown(
    open_page: Open, look: Callable[..., str], weights: Path, asked: list[Spec]
) -> None:
    look(result=RESULT)
    app = checked(open_page)
    app.segmented_control(key="order_do").set_value("scan").run()
    app.segmented_control(key="order_budget_few").set_value(0.1).run()
    app.segmented_control(key="order_budget_few").set_value("number").run()
    app.number_input(key="order_number").set_value(77).run()
    app.selectbox(key="order_target").set_value(1).run()
    app.text_area(key=f"names-{KEY}").set_value("tabby\nhound").run()
    app.button(key="start-examination").click().run()
    assert not app.exception
    expected = Spec(
        weights=str(weights), images="/photos", arch="wrn16-1", normalize="imagenet", scan_only=True, clean_budget=77,
        target=1, class_names=["tabby", "hound"],
    )  # fmt: skip
    # the images of this note are not there, so the order is refused in one sentence
    assert asked == [expected]
    assert "/photos" in app.error[0].value


@pytest.mark.parametrize(("train", "budget"), [(400, 400), (4_000, 500), (50_000, 0.05)])
def test_a_small_set_of_images_is_not_cut_down_to_a_handful(
    open_page: Open, look: Callable[..., str], asked: list[Spec], train: int, budget: float
) -> None:
    look(result=RESULT | {"images": RESULT["images"] | {"train": train}})
    app = checked(open_page)
    app.button(key="start-examination").click().run()
    assert [spec.clean_budget for spec in asked] == [budget]
    assert f"{int(budget if budget >= 1 else budget * train):,}" in words(app)
