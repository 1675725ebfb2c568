"""Which of a fleet's models are shown, in which order, and what the table says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.fleet import place
from core.fleet.rows import Row
from core.words import Words
from dashboard import fleet_data
from dashboard.fleet_data import ORDERS, shown, table

BASE = Row("a.pt", "/a.pt", "digits")
ROWS = [
    replace(BASE, file="Z.pt", owner="Bea", verdict="strong", target=3, target_name="3", risk=90.0, ba=80.0,
            asr_before=97.0, step="purify", step_seconds=60.0, run="r1", exposure=5),
    replace(BASE, file="b.pt", owner="ada", use="sorting parcels", verdict="some", target=1, target_name="1", risk=40.0,
            ba=95.0, asr_before=90.0, step="rollout", cure="holds", run="r2"),
    replace(BASE, file="c.pt", verdict="none", risk=3.0, ba=70.0, asr_before=98.0, step="watch", step_seconds=600.0),
    replace(BASE, file="broken.pt", error="It is broken.", code="odd", step="mend"),
]  # fmt: skip


def files(groups: Sequence[str] = (), text: str = "", order: str = "risk") -> list[str]:
    return [row.file for _, row in shown(ROWS, groups, text, order)]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((), ["Z.pt", "b.pt", "c.pt", "broken.pt"]),
        (("strong",), ["Z.pt"]),
        (("strong", "error"), ["Z.pt", "broken.pt"]),
        (("cured",), ["b.pt"]),
        (("wait",), []),
    ],
)
def test_a_row_is_shown_that_belongs_to_one_of_the_groups(groups: tuple[str, ...], expected: list[str]) -> None:
    assert files(groups) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ADA", ["b.pt"]), ("parcels b.pt", ["b.pt"]), ("parcels Z", []), ("pt broken", ["broken.pt"])],
)
def test_all_words_are_looked_for_in_model_owner_and_use(text: str, expected: list[str]) -> None:
    assert files(text=text) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("risk", ["Z.pt", "b.pt", "c.pt", "broken.pt"]),
        ("file", ["b.pt", "broken.pt", "c.pt", "Z.pt"]),
        ("owner", ["b.pt", "Z.pt", "c.pt", "broken.pt"]),
        ("ba", ["c.pt", "Z.pt", "b.pt", "broken.pt"]),
        ("cost", ["c.pt", "Z.pt", "b.pt", "broken.pt"]),
    ],
)
def test_what_a_model_lacks_stands_last_in_every_order(order: str, expected: list[str]) -> None:
    assert files(order=order) == expected
    assert order in ORDERS


def test_a_rank_stays_with_its_model() -> None:
    assert [number for number, _ in shown(ROWS, (), "", "file")] == [2, 4, 3, 1]


def test_the_table_has_pictures_of_triggers_and_no_estimate_without_signs(tmp_path: Path) -> None:
    picture = place.picture_of(tmp_path, "r1")
    picture.parent.mkdir()
    picture.write_bytes(b"\x89PNG")
    told = table(shown(ROWS, (), "", "risk"), tmp_path, Words("en"))
    assert told["picture"][0] == "data:image/png;base64,iVBORw=="
    assert [bool(picture) for picture in told["picture"]] == [True, False, False, False]
    assert [figure == "–" for figure in told["asr"]] == [False, False, True, True]
    assert told["target"][0] == "3 (class 3)"
    assert told["verdict"].tolist() == ["strong signs", "some signs", "no sign found", "not looked at"]
    assert told["cure"][1] == "holds"
    assert table([], tmp_path, Words("en")).empty


def test_a_standing_is_read_anew_once_it_was_written_anew(tmp_path: Path) -> None:
    assert fleet_data.standing(tmp_path) is None
    for rows in ([BASE], [BASE, *ROWS]):
        place.write_standing(tmp_path, place.Standing(rows))
        found = fleet_data.standing(tmp_path)
        assert found
        assert len(found.models) == len(rows)


def test_what_no_model_has_is_no_column_and_all_columns_fit_a_laptop(tmp_path: Path) -> None:
    told = table(shown(ROWS, (), "", "risk"), tmp_path, Words("en"))
    assert list(told.columns) == list(fleet_data.WIDTHS)
    bare = table([(1, replace(BASE, verdict="none", risk=3.0))], tmp_path, Words("en"))
    assert set(told.columns) - set(bare.columns) == {"cure", "owner", "exposure"}
    assert sum(fleet_data.widths(bare.columns).values()) < sum(fleet_data.widths(told.columns).values())
    assert (
        sum(fleet_data.widths(told.columns).values()) <= 1280 - 2 * 40 - 40
    )  # the page's margins, and the boxes before the rows


def test_the_truth_of_a_recording_is_counted_on_both_sides() -> None:
    assert fleet_data.truth(ROWS, ["Z.pt", "c.pt"]) == (1, 2, 1, 2)
    (missed,) = fleet_data.missed(ROWS, ["Z.pt", "c.pt"])
    assert not next(row for row in ROWS if row.file == missed).signs
    assert fleet_data.missed(ROWS, []) == []
