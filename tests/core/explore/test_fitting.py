"""Settled maps: that umap-learn itself draws them, and that each setting does what the page says it does."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from core.cli.parser import main
from core.errors import BadInput
from core.explore import place
from core.explore.fitting import fit, make_settled
from core.explore.settled import Settled
from core.featuremap import trustworthiness
from core.runs.record import Run
from core.suspicion import METHODS

pytestmark = pytest.mark.timeout(900)  # umap-learn is compiled in the first of them

POINTS = 120


@cache
def clusters(spreads: tuple[float, ...] = (1.0, 1.0, 1.0)) -> np.ndarray:
    """As many groups as there are spreads, ``POINTS`` points in all, float32 (n, 12)."""
    rng = np.random.default_rng(0)
    each = POINTS // len(spreads)
    places = [rng.normal(0, 6, 12) + rng.normal(0, spread, (each, 12)) for spread in spreads]
    return np.concatenate(places).astype(np.float32)


@cache
def usual() -> np.ndarray:
    return fit(clusters(), Settled())


def purity(coords: np.ndarray, labels: np.ndarray) -> float:
    """Share of points whose nearest other on the map has their label."""
    distance = ((coords[:, None] - coords[None]) ** 2).sum(2)
    np.fill_diagonal(distance, np.inf)
    return float((labels[distance.argmin(1)] == labels).mean())


def test_it_is_the_map_of_umap_learn_and_the_same_again() -> None:
    import umap

    shares: list[float] = []
    made = fit(clusters(), Settled(), report=shares.append)
    np.testing.assert_array_equal(made, usual())
    np.testing.assert_array_equal(made, umap.UMAP(random_state=0, n_jobs=1).fit_transform(clusters()))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert trustworthiness(clusters(), made) > 0.85


def test_another_seed_gives_another_map_and_three_dimensions_a_third_column() -> None:
    assert np.abs(fit(clusters(), Settled(seed=1)) - usual()).max() > 0.1
    assert fit(clusters(), Settled(dims=3)).shape == (POINTS, 3)


def test_points_keep_the_distance_that_was_asked_for() -> None:
    def nearest(coords: np.ndarray) -> float:
        distance = ((coords[:, None] - coords[None]) ** 2).sum(2)
        np.fill_diagonal(distance, np.inf)
        return float(np.median(distance.min(1)))

    assert nearest(fit(clusters(), Settled(min_dist=0.8))) > 1.5 * nearest(usual())


def test_cosine_leaves_length_out() -> None:
    features = clusters((3.0,))
    longer = features * (2.0 ** np.random.default_rng(1).integers(-3, 4, (POINTS, 1))).astype(np.float32)  # exactly
    for metric, same in (("cosine", True), ("euclidean", False)):
        settings = Settled(metric=metric)
        assert np.array_equal(fit(features, settings), fit(longer, settings)) == same


def test_labels_pull_together_what_they_share() -> None:
    noise = np.random.default_rng(2).normal(size=(POINTS, 12)).astype(np.float32)
    labels = np.arange(POINTS) % 2
    assert purity(fit(noise, Settled(), labels), labels) > 0.9 > purity(fit(noise, Settled()), labels)


def test_densmap_draws_a_loose_group_wider() -> None:
    features = clusters((0.2, 3.0))

    def ratio(settings: Settled) -> float:
        coords = fit(features, settings)
        tight, loose = (np.median(np.abs(group - np.median(group, 0))) for group in np.split(coords, 2))
        return float(loose / tight)

    assert ratio(Settled(densmap=True)) > 1.5 * ratio(Settled())


def test_a_map_that_goes_on_from_another_lies_on_it() -> None:
    moved = clusters() + np.random.default_rng(3).normal(0, 0.1, (POINTS, 12)).astype(np.float32)
    size = np.linalg.norm(np.ptp(usual(), axis=0))
    gap = np.median(np.linalg.norm(fit(moved, Settled(), start=usual()) - usual(), axis=1))
    assert gap < 0.15 * size


@pytest.mark.parametrize("n", [1, 3, 7])
def test_hardly_any_points_are_laid_out_without_it(n: int) -> None:
    made = fit(clusters()[:n], Settled(dims=3))
    assert made.shape == (n, 3)
    assert np.isfinite(made).all()


def test_more_neighbours_than_there_are_points_are_all_of_them() -> None:
    made = fit(clusters()[::5], Settled(n_neighbors=200))
    assert np.isfinite(made).all()


@pytest.fixture
def explored(own_run: Run) -> Run:
    """The run with made-up features before and after."""
    samples = own_run.samples
    assert samples is not None
    n = len(samples.label)
    features = np.random.default_rng(0).normal(size=(2, n, 6)).astype(np.float16)
    place.write(
        own_run,
        "base",
        place.Base(
            features=features, near=np.zeros((2, n, 12), np.int32), scores=np.zeros((len(METHODS), 2, n), np.float16),
            judged=np.zeros((len(METHODS), 2, 3), np.float32), thumbs=np.zeros(0, np.uint8),
            source=np.array(place.source_of(own_run)),
        ),
    )  # fmt: skip
    return own_run


def test_the_command_draws_before_and_after_and_then_what_else_is_wanted(
    explored: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = Settled(), Settled(supervised="answer")
    from core.files import write_json

    write_json(place.folder_of(explored) / "wanted-settled.json", {"key": second.key})
    order = ["explore", str(explored.folder), "--settled", first.key, "--linger", "0.5", "--json"]
    assert main(order) == 0
    said = json.loads(capsys.readouterr().out)  # and nothing of umap-learn's
    one, two = (place.settled_map(explored, settings.key) for settings in (first, second))
    assert one is not None
    assert two is not None
    n = len(explored.samples.label)  # type: ignore[union-attr]
    assert one.coords.shape == two.coords.shape == (2, n, 2)
    np.testing.assert_allclose(said["trustworthiness"], one.trust, atol=1e-3)
    answers = explored.frame(0).answers
    assert purity(two.coords[0], answers) > purity(one.coords[0], answers) + 0.2
    assert place.settled_keys(explored) == [second.key, first.key]
    job = place.job(explored, "settled")
    assert job is not None
    assert job.ended
    assert not job.failure
    place.forget(explored)
    assert place.settled_keys(explored) == []


def test_without_features_there_is_no_map(own_run: Run) -> None:
    with pytest.raises(BadInput) as fault:
        make_settled(own_run, Settled(), lambda *_: None)
    assert fault.value.code == "explore_first"


def test_a_setting_that_is_none_is_one_sentence(explored: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", str(explored.folder), "--settled", "dims=5"]) == 2
    assert "dims=5; allowed: 2 or 3" in capsys.readouterr().err
