from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from core.errors import BadInput
from core.events import StageStarted
from core.explore import place
from core.explore.settled import Settled
from core.jobs.process import identity
from core.runs.record import Run
from core.suspicion import METHODS
from dashboard import explore_data, glossary, i18n
from dashboard.components.explore import TERMS, TEXT_KEYS
from dashboard.components.explore_payload import RoomPayload
from dashboard.explore_data import Found

Make = Callable[..., Run]
WORDS = {name: glossary.term(name, "en") for name in TERMS}
TEXTS = {name: i18n.catalogue("en")[f"explore.room.{name}"] for name in TEXT_KEYS}


def payload(run: Run, found: Found | None = None, **more: object) -> RoomPayload:
    facts = {
        "title": "One",
        "texts": TEXTS,
        "terms": WORDS,
        "class_names": ["a", "b", "c"],
        "missing": {},
        "jobs": (),
    } | more
    return explore_data.payload(run, found or Found(), **facts)  # type: ignore[arg-type]


def explored(run: Run, models: int = 1) -> place.Base:
    """Results as the process would have left them, for the six points of ``make_run``."""
    rng = np.random.default_rng(0)
    _, *others = METHODS
    base = place.Base(
        features=rng.normal(size=(models, 6, 4)).astype(np.float16),
        near=np.tile((np.arange(6)[:, None] + [1, 2]) % 6, (models, 1, 1)).astype(np.int32),
        scores=np.full((len(METHODS), models, 6), 0.75, np.float16),
        judged=np.array([[[90.0, 80.0, 10.0]] * models, *[[[np.nan, 0.0, 10.0]] * models] * len(others)], np.float32),
        thumbs=np.zeros(0, np.uint8),
        source=np.array(place.source_of(run)),
    )
    place.write(run, "base", base)
    return base


def test_a_record_alone_shows_its_frames(make_run: Make) -> None:
    made = payload(make_run("one", "done"))
    assert (len(made.frames), list(made.steps), made.method, made.dims) == (2, [0, 1], "umap", 2)
    assert made.neighbours is None
    assert not made.scores
    assert not made.offers
    assert not made.able
    assert not made.live


def test_results_are_taken_up_when_they_come(make_run: Make) -> None:
    run = make_run("one", "done")
    found = Found()
    assert payload(run, found).neighbours is None
    base = explored(run)
    made = payload(run, found)
    np.testing.assert_array_equal(made.neighbours, base.near)  # type: ignore[arg-type]
    first, *others = METHODS
    known = [(first, 90, 80), *((method, None, 0) for method in others)]
    assert [(score.method, score.precision, score.recall) for score in made.scores] == known
    assert ("umap", 2) not in made.offers  # its own
    assert ("tsne", 3) in made.offers
    assert made.able

    place.write(run, "map-tsne-3", place.DrawnMap(np.zeros((1, 6, 3), np.float32), np.full(1, np.nan)))
    made = payload(run, found)
    assert [(layout.method, layout.dims, layout.trust) for layout in made.layouts] == [("tsne", 3, [None])]
    assert ("tsne", 3) not in made.offers


def test_maps_of_every_frame_are_of_the_record_and_drawn_from_it(make_run: Make) -> None:
    run, found = make_run("one", "done"), Found()
    for index in range(run.frame_count):
        run.write_features(index, np.ones((6, 4), np.float16))
    made = payload(run, found)
    assert made.offers == [("tsne", 2), ("pca", 2), ("umap", 3), ("tsne", 3), ("pca", 3)]
    coords = np.arange(36, dtype=np.float32).reshape(2, 6, 3)
    run.write_moving_map("umap", 3, place.DrawnMap(coords, np.array([0.5, 0.75], np.float32)))
    made = payload(run, found)
    (layout,) = made.layouts
    np.testing.assert_allclose(layout.coords, coords, atol=0.02)
    assert (layout.id, list(layout.trust), layout.stops(2)) == ("umap-3", [0.5, 0.75], [0, 1])
    assert ("umap", 3) not in made.offers
    run.drop_features()
    assert payload(run, found).offers == []
    going = make_run("two", "running", worker=identity())
    for index in range(going.frame_count):
        going.write_features(index, np.ones((6, 4), np.float16))
    assert payload(going).offers == [], "more frames may come"


def test_results_are_read_once_however_often_the_page_looks(make_run: Make) -> None:
    run = make_run("one", "done")
    make_run("two", "running", worker=identity())  # for which what is not there would have to wait
    explored(run)
    found, file = Found(), place.folder_of(run) / "base.npz"
    assert payload(run, found).able
    moment = file.stat().st_mtime_ns
    file.write_bytes(b"whoever reads this finds nothing")
    os.utime(file, ns=(moment, moment))
    assert place.base(run) is None
    for _ in range(3):
        assert "features" not in explore_data.lacks(run, found)
        assert explore_data.base_of(run, found) is not None
        assert payload(run, found).able
    (run.folder / "model.safetensors").write_bytes(b"purified meanwhile")
    assert not payload(run, found).able, "made of another model"


def test_another_run_begins_afresh(make_run: Make) -> None:
    one, two = make_run("one", "done"), make_run("two", "done")
    found = Found()
    explored(one)
    assert payload(one, found).able
    assert not payload(two, found).able


def test_saliency_is_shown_of_the_point_that_was_asked_for(make_run: Make) -> None:
    run = make_run("one", "done")
    explored(run)
    pictures, variants = np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 1], np.uint8)
    place.write(run, "saliency-3", place.Saliency(pictures, variants, np.zeros((2, 2, 4, 4), np.uint8)))
    assert payload(run, point=2).saliency is None
    shown = payload(run, point=3).saliency
    assert shown is not None
    assert [(entry["when"], entry["variant"], entry["picture"]) for entry in shown.shown] == [
        ("before", "without", 0), ("before", "with", 1), ("after", "without", 0), ("after", "with", 1),
    ]  # fmt: skip


def test_settled_maps_are_listed_with_their_trustworthiness_and_offered_until_drawn(make_run: Make) -> None:
    run, found = make_run("one", "done"), Found()
    assert not payload(run, found).settled, "the features come first"
    explored(run)
    wide = Settled(n_neighbors=40)
    assert list(payload(run, found, wanted={"id": wide.id, "moment": 1}).settled) == [Settled(), Settled(dims=3), wide]
    made = place.DrawnMap(np.ones((1, 6, 2), np.float32), np.array([0.75], np.float32))
    place.write(run, place.settled_name(wide.key), made)
    place.write(run, place.settled_name("dims=9"), made)  # of a version that knows more
    shown = payload(run, found, wanted={"id": wide.id, "moment": 1})
    assert [(layout.method, layout.settled, list(layout.trust)) for layout in shown.layouts] == [
        ("settled", wide, [0.75])
    ]
    assert list(shown.settled) == [Settled(), Settled(dims=3)]
    assert list(shown.trust) == [0.9, 0.9]  # of the frames


def test_of_many_settled_maps_the_newest_are_listed(make_run: Make) -> None:
    run = make_run("one", "done")
    explored(run)
    all_ = [Settled(seed=seed) for seed in range(explore_data.KEPT + 2)]
    for moment, settings in enumerate(all_):
        made = place.DrawnMap(np.ones((1, 6, 2), np.float32), np.ones(1, np.float32))
        path = place.write(run, place.settled_name(settings.key), made)
        os.utime(path, (moment, moment))
    assert [layout.settled for layout in payload(run).layouts] == all_[:1:-1]


def test_a_run_without_frames_is_refused_and_not_offered(make_run: Make) -> None:
    run = make_run("one", "done", [StageStarted("measure")])
    assert not explore_data.explorable(run)
    with pytest.raises(BadInput) as fault:
        payload(run)
    assert fault.value.code == "no_frames"
    assert explore_data.explorable(make_run("two", "done"))


def test_what_is_missing_is_named(make_run: Make) -> None:
    run = make_run("one", "done")
    assert set(explore_data.lacks(run)) == {"after"}
    (run.folder / "model.safetensors").write_bytes(b"weights")
    assert not explore_data.lacks(run)
    spec = run.data["spec"]
    cifar = make_run("two", "done", spec=spec | {"images": "cifar10", "victim": "cifar10-badnets"})
    assert {"features", "pictures"} <= set(explore_data.lacks(cifar))
    gone = make_run("three", "done", spec=spec | {"victim": None, "weights": "/nowhere/at/all.pt"})
    assert explore_data.lacks(gone)["features"].key == "weights"
    lost = make_run("four", "done", spec=spec | {"images": "/nowhere/photos"})
    assert explore_data.lacks(lost)["features"].key == "images"


def test_code_of_the_visitor_is_not_executed_by_opening_a_page(make_run: Make) -> None:
    spec = make_run("one", "done").data["spec"]
    own = make_run("two", "done", spec=spec | {"model_class": "nets.py:Net"})
    assert explore_data.lacks(own)["features"].key == "own_class"
    explored(own)
    assert "features" not in explore_data.lacks(own)
    assert not payload(own).able


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"kind": "map", "method": "tsne", "dims": 3}, ["--map", "tsne", "--dims", "3"]),
        ({"kind": "saliency", "id": 5}, ["--saliency", "5"]),
        ({"kind": "settled", "id": Settled(3).id}, ["--settled", Settled(3).key]),
        ({"kind": "settled", "id": "settled:dims=9"}, []),
        ({"kind": "settled", "id": "../dims=2"}, []),
        ({"kind": "settled"}, []),
        ({"kind": "map", "method": "--out", "dims": 3}, []),
        ({"kind": "map", "method": "tsne", "dims": 4}, []),
        ({"kind": "map"}, []),
        ({"kind": "saliency", "id": 6}, []),
        ({"kind": "saliency", "id": "many"}, []),
        ({"kind": "delete"}, []),
        (None, []),
    ],
)
def test_only_what_the_page_offers_can_be_asked_for(asked: dict[str, object] | None, expected: list[str]) -> None:
    assert explore_data.orders(asked, 6) == expected


def test_csv_is_handed_out_under_the_name_of_run_and_map(make_run: Make) -> None:
    shown = payload(make_run("one", "done"))
    asked = {"kind": "csv", "map": "umap-2", "ids": [1, 4], "whole": False, "moment": 7, "run": "one"}
    given = explore_data.handout(shown, asked)
    assert given is not None
    assert (given.moment, given.name) == (7, "one-umap-2-selection.csv")
    assert given.content.count(b"\r\n") == 3
    whole = explore_data.handout(shown, asked | {"whole": True, "map": "../settled:a=1"})
    assert whole is not None
    assert whole.name == "one-..-settled-a-1-points.csv"
    assert whole.content.count(b"\r\n") == 7
    for damaged in ({"ids": None}, {"ids": ["x"]}, {"moment": None}):
        assert explore_data.handout(shown, asked | damaged) is None
    assert explore_data.handout(shown, {"kind": "csv"}) is None
