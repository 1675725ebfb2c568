"""The benchmarks, which no other test runs: each can be imported and has its rows, so that none rots unseen."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from core.attacks import make_trigger
from core.attacks.training import TrainSettings
from core.data import load
from core.dataroom import FILTERS
from core.fleet.engines import ENGINES
from core.metrics import attack_success_rate, benign_accuracy
from core.models.evaluate import answers
from core.models.weights import classifier, read_weights
from core.victims import card_of
from tests.benchmarks import (
    alarms,
    alerts,
    backdoored,
    costs,
    data_room,
    fleet,
    kills,
    small_cures,
    transformer,
    viewers,
)
from tests.benchmarks.__main__ import MODULES
from tests.benchmarks.small_models import Model
from tests.benchmarks.watch import environment


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_can_be_imported_and_has_rows(name: str) -> None:
    assert callable(import_module(f"tests.benchmarks.{name}").rows)


def test_costs_are_measured() -> None:
    found = costs.rows(steps=1, warm=1, networks=[("small", 4)])
    assert len(found) >= 2
    assert all(" ms (" in measured for _, measured, _ in found)


def test_a_victim_for_the_cures_is_made_of_a_clean_network_once_trained(tmp_path: Path) -> None:
    images, quick = load("digits"), TrainSettings(epochs=6, batch=32)
    base = backdoored.clean(images, "small", 0, tmp_path, 300, quick)
    again = backdoored.clean(images, "small", 0, tmp_path, 300, replace(quick, epochs=0))  # kept: nothing to train
    assert all(torch.equal(value, base.state_dict()[name]) for name, value in again.state_dict().items())
    recipe = backdoored.Recipe("small", "blended", 1, 3, rate=0.2, epochs=8, images=600, settings={"alpha": 0.3})
    trigger = make_trigger(recipe.attack, images.size, **recipe.settings or {})
    assert attack_success_rate(answers(base, images.x_test, trigger), images.y_test, 3) < 30, "0 to 5 in six trainings"
    card = backdoored.make(recipe, images, base, tmp_path)
    weights = read_weights(tmp_path / f"{card.name}.safetensors")
    model = classifier(weights, card.arch, card.classes, card.mean, card.std)
    assert make_trigger(card.attack, images.size, **card.attack_settings) == trigger
    attacked = answers(model, images.x_test, trigger)
    assert attack_success_rate(attacked, images.y_test, 3) > 70, "95 to 99.8 in six trainings"
    assert benign_accuracy(answers(model, images.x_test), images.y_test) > 50, "81 to 92 in six trainings, by chance 10"
    assert card.asr == pytest.approx(attack_success_rate(attacked, images.y_test, 3), abs=2)


def test_viewers_are_told_from_the_runs_of_an_earlier_call(tmp_path: Path) -> None:
    kept = [
        viewers.Pass("signs-badnets", 0, -1, 90.0, None, 0.2, 0.0, 0.0),
        viewers.Pass("signs-badnets", 0, 0, 50.0, None, 0.2, 0.0, 0.0),
        viewers.Pass("signs-badnets", 3, 0, 52.0, (0.4, 1.5), 0.5, 0.1, 0.2),
        viewers.Pass("digits-badnets", 3, 0, 99.0, (9.0, 9.0), 9.0, 9.0, 9.0),
    ]
    lines = [json.dumps(asdict(one)) for one in kept]
    (tmp_path / "kept").write_text("\n".join([*lines, lines[0][:20]]))
    found = viewers.rows(viewers=3, repeats=1, into=tmp_path / "kept")
    assert [measured for _, measured, _ in found] == [
        "4 % (50.0 s alone, 52.0 s watched)", "0.40 s (latest 1.50 s)", "0.50 GB", "0.10 (the viewers themselves 0.20)",
    ]  # fmt: skip


def test_killed_runs_are_held_to_the_one_left_alone(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    kept = [
        kills.Trial(0, threads, [], {"result": 1}, 0, 0, 20.0),
        kills.Trial(1, threads, ["scan", "purify"], {"result": 1}, 9, 0, 50.0),
        kills.Trial(2, threads, ["purify"], {"result": 2}, 3, 1, 50.0),
        kills.Trial(3, threads + 1, ["start"], {"result": 3}, 5, 5, 50.0),
    ]
    lines = [json.dumps(asdict(one)) for one in kept]
    (tmp_path / "kept").write_text("\n".join([*lines, lines[0][:20]]))
    found = kills.rows(kills=3, into=tmp_path / "kept")
    assert [measured for _, measured, _ in found] == ["2, 3 times: purify 2, scan 1", "1 of 2", "1 of 12"]


def test_the_fleet_has_as_many_victims_as_clean_models_and_each_its_own_name() -> None:
    assert sum(model.is_victim for model in fleet.MODELS) * 2 == len(fleet.MODELS) == 24
    assert len({model.name for model in fleet.MODELS}) == 24
    assert all(card_of(model.name).attack == model.attack for model in fleet.MODELS if model.shipped)


def test_a_fleet_is_measured_on_each_engine_and_only_once(tmp_path: Path) -> None:
    measured: list[tuple[str, int]] = []

    def measure(models: Path, home: Path, engine: str, workers: int) -> fleet.Told:
        measured.append((engine, workers))
        row = {"file": "digits-badnets.safetensors", "verdict": "strong", "error": None, "reused": False}
        return {"seconds": {1: 30.0, 2: 15.0}[workers], "models": [row | {"seconds": {"scan": 27.0, "load": 2.0}}]}

    def rows() -> dict[str, str]:
        found = fleet.rows(fleet.MODELS[4:5], measure=measure, kept=tmp_path)
        return {figure.partition(", ")[2]: figure_of for figure, figure_of, _ in found}

    found = rows()
    assert measured == [(engine, workers) for engine in ENGINES for workers in (2, 1)]
    for engine in ENGINES:
        assert found[f"{engine}: overhead a model"] == "1.00 s"
        assert found[f"{engine}: 1 to 2 at once"].startswith("2.00 times")
        assert found[f"{engine}, 1 at once"] == "0.5 min"
        assert found[f"{engine}: victims in the first places"].startswith("1 before")
    assert rows() == found
    assert len(measured) == 2 * len(ENGINES), "what was measured is kept"


def test_watches_that_were_killed_are_told_together() -> None:
    one = alerts.Outcome(0, 5, 1, 90, 90, 40, 40, 40, 41, 1, 0, [0.5, 1.5], [0.6, 1.6])
    told = [measured for _, measured, _ in alerts.figures([one, replace(one, number=1, lost=2, to_record=[2.5])])]
    assert told[:4] == ["180; 180", "80; 80; 80", "82; 2", "2"]
    assert told[4].startswith("median 1.50 s")
    assert told[4].endswith("latest 2.50 s (3)")


def test_the_networks_for_false_alarms_are_forty_and_each_is_made_once() -> None:
    names = [model.name for model in (*alarms.CLEAN, *alarms.VICTIMS)]
    assert len(alarms.CLEAN) == 40
    assert len(set(names)) == len(names) == 60


def test_small_cures_go_by_what_was_kept_and_leave_out_what_was_never_a_victim(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "alarms-bench"
    kept.mkdir(parents=True)
    result = {
        "verdict": "strong", "target": 3, "asr_before": 98.0, "asr_after": 2.0, "cure": "holds", "cure_reasons": [],
        "proof": {"fresh": {}}, "seconds": {"scan": 3.0, "verify": 4.0},
    }  # fmt: skip
    models = [Model("digits", "small", 200, "badnets", target=3), Model("digits", "small", 201, "badnets", target=3)]
    for model, before in zip(models, (99.0, 12.0), strict=True):
        card = {"name": model.name, "target": model.target}
        outcome = {"card": card, "result": result, "before": [98, before], "after": [97, 1]}
        (kept / f"{model.name}.cure.json").write_text(json.dumps(outcome))
    with environment(DISSOLVE_HOME=tmp_path):
        rows = small_cures.rows(models)
    assert [name for name, *_ in rows if "digits" in name] == [f"cures: {models[0].name}"]
    assert "BA 98.0 -> 97.0, true ASR 99.0 -> 1.0; estimated 98.0 -> 2.0, cure holds; 7 s" in rows[0][1]
    assert ("cures: victims cured (true ASR <= 5 %, BA down <= 2)", "1 of 1", "all") in rows


def test_vision_transformers_go_by_what_was_kept(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "transformer-bench"
    kept.mkdir(parents=True)
    result = {
        "verdict": "some", "target": 4, "asr_before": 98.0, "asr_after": 2.0, "cure": "doubt", "cure_reasons": ["path"],
        "proof": {}, "seconds": {"scan": 3.0, "verify": 4.0},
    }  # fmt: skip
    outcome = {"card": {"name": "v", "target": 3}, "result": result, "before": [95, 100], "after": [94, 30]}
    (kept / "badnets-0.cure.json").write_text(json.dumps(outcome))
    (kept / "clean-0.scan.json").write_text(json.dumps({"verdict": "none", "suspicion": 1.3, "ba": 96.0}))
    with environment(DISSOLVE_HOME=tmp_path):
        rows = transformer.rows(["badnets-0", "clean-0"])
    assert [measured for _, measured, _ in rows[:3]] == [
        "some, class wrong; BA 95.0 -> 94.0, true ASR 100.0 -> 30.0; cure doubt (path); 7 s",
        "signs of a backdoor: none (1.3 octaves); BA 96.0", "0 of 1",
    ]  # fmt: skip


def test_a_benchmark_of_the_data_room_that_was_cut_off_goes_on_with_its_model(tmp_path: Path) -> None:
    case = data_room.Case("digits", 200, "badnets", 0.1)
    cut_off = data_room.of_case(case, tmp_path)
    first = next(cut_off)
    cut_off.close()
    trained = (tmp_path / f"{case.name}.safetensors").stat().st_mtime_ns
    rows = list(data_room.of_case(case, tmp_path))
    assert rows[0] == first
    assert len(rows) == 1 + len(FILTERS)
    assert (tmp_path / f"{case.name}.safetensors").stat().st_mtime_ns == trained
    assert list(data_room.of_case(case, tmp_path)) == rows
