"""The last step before an examination: what was shown and chosen is what is ordered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.runs.spec import Spec
from tests.dashboard.conftest import Asked, words
from tests.dashboard.examinations import KEY, RESULT, Open, checked, result_in


def test_start_orders_what_was_shown(open_page: Open, look: Callable[..., str], weights: Path, asked: Asked) -> None:
    look(result=result_in(weights.parent))
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
        weights=str(weights), images=str(weights.parent), arch="wrn16-1", normalize="imagenet", scan_only=True,
        clean_budget=77, target=1, class_names=["tabby", "hound"],
    )  # fmt: skip
    assert asked() == [expected]


def test_an_order_of_images_that_are_gone_is_refused_in_one_sentence(
    open_page: Open, look: Callable[..., str], asked: Asked
) -> None:
    look(result=RESULT)
    app = checked(open_page)
    app.button(key="start-examination").click().run()
    assert not app.exception
    assert asked() == []
    assert RESULT["images"]["path"] in app.error[0].value


@pytest.mark.parametrize(("train", "budget"), [(400, 400), (4_000, 500), (50_000, 0.05)])
def test_a_small_set_of_images_is_not_cut_down_to_a_handful(
    open_page: Open, look: Callable[..., str], weights: Path, asked: Asked, train: int, budget: float
) -> None:
    here = result_in(weights.parent)
    look(result=here | {"images": here["images"] | {"train": train}})
    app = checked(open_page)
    assert f"{int(budget if budget >= 1 else budget * train):,}" in words(app)
    app.button(key="start-examination").click().run()
    assert [spec.clean_budget for spec in asked()] == [budget]
