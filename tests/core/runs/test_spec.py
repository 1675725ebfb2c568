"""A spec is checked in one place, and every mistake is named at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.featuremap import METHODS
from core.runs.spec import PROJECTIONS, Spec


def test_the_defaults_are_valid(spec: Spec) -> None:
    spec.validate()


def test_the_projections_of_an_order_are_those_there_are() -> None:
    assert tuple(METHODS) == PROJECTIONS


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"victim": None}, "no_model", "shipped victim"),
        ({"weights": "w.pt"}, "two_models", "w.pt"),
        ({"victim": "nobody"}, "unknown_victim", "'nobody'; use one of signs-badnets"),
        ({"victim": None, "weights": "/no/such.pt"}, "weights_not_found", "/no/such.pt"),
        ({"victim": None, "weights": "~nobody-of-this-name/w.pt"}, "weights_not_found", "~nobody-of-this-name"),
        ({"victim": None, "weights": "x" * 300}, "weights_not_found", "xxx"),
        ({"victim": None, "weights": "/"}, "folder_without_weights", "/ is a folder"),
        ({"images": "~nobody-of-this-name/x"}, "images_not_found", "~nobody-of-this-name"),
        ({"images": "x" * 300}, "images_not_found", "xxx"),
        ({"images": ""}, "no_images", "cifar10"),
        ({"images": "/no/such"}, "images_not_found", "'/no/such'"),
        ({"defence": "magic"}, "unknown_defence", "'magic'; use one of mcl"),
        ({"preset": "fast"}, "unknown_preset", "default, published"),
        ({"accept": "anything"}, "unknown_accept", "'anything'; use one of not-cured"),
        ({"projection": "lda"}, "unknown_projection", "umap, tsne, pca"),
        ({"normalize": "svhn"}, "unknown_normalization", "none, half, cifar10"),
        ({"normalize": "half@4"}, "unknown_normalization", "half@4"),
        ({"normalize": "half:pink"}, "unknown_normalization", "half:pink"),
        ({"victim": None, "weights": __file__, "model_class": "net"}, "bad_model_class", "FILE.py:CLASS"),
        ({"victim": None, "weights": __file__, "model_class": "net.py:a b"}, "bad_model_class", "net.py:a b"),
        ({"victim": None, "weights": __file__, "model_class": "/no/net.py:Net"}, "model_class_not_found", "/no/net.py"),
        ({"model_class": f"{__file__}:Net"}, "two_networks", "give one"),
        ({"device": "tpu"}, "unknown_device", "'tpu'"),
        ({"clean_budget": 0}, "bad_clean_budget", "between 0 and 1"),
        ({"clean_budget": 1.5}, "bad_clean_budget", "1.5"),
        ({"clean_budget": float("nan")}, "bad_clean_budget", "nan"),
        ({"target": -1}, "bad_target", "-1"),
        ({"target": True}, "bad_target", "True"),
        ({"dims": 4}, "bad_dims", "from 2 to 3"),
        ({"points": 10}, "bad_points", "from 50 to 20000"),
        ({"seed": -1}, "bad_seed", "-1"),
        ({"repeats": -1}, "bad_repeats", "from 0 to 3"),
        ({"repeats": 4}, "bad_repeats", "from 0 to 3"),
        ({"repeats": True}, "bad_repeats", "True"),
        ({"settings": {"lr": {1: 2}}}, "bad_settings", "lr"),
        ({"class_names": ["cat", "cat"]}, "bad_class_names", "different"),
        ({"class_names": ["cat", " "]}, "bad_class_names", "empty"),
        ({"class_names": []}, "bad_class_names", "empty"),
    ],
)
def test_each_mistake_has_its_code_and_names_the_thing(
    spec: Spec, changes: dict[str, Any], code: str, named: str
) -> None:
    with pytest.raises(BadInput) as caught:
        replace(spec, **changes).validate()
    assert caught.value.code == code
    assert named in caught.value.message
    assert all(isinstance(fact, (str, int, float)) for fact in caught.value.facts.values())


def test_several_mistakes_are_named_at_once(spec: Spec) -> None:
    with pytest.raises(BadInput) as caught:
        replace(spec, victim=None, dims=7, device="abacus").validate()
    assert caught.value.code == "several_mistakes"
    assert caught.value.facts == {"count": 3, "codes": "no_model, bad_dims, unknown_device"}
    for named in ("No model", "7", "abacus"):
        assert named in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"victim": None, "weights": __file__, "model_class": f"{__file__}:Net", "normalize": "imagenet@224:bgr"},
        {"clean_budget": 200},
        {"target": 0},
        {"device": "cuda:1"},
        {"settings": {"lr": [0.1, 0.01], "clean": 0}},
        {"class_names": ["cat", "dog"]},
    ],
)
def test_what_is_allowed_passes(spec: Spec, changes: dict[str, Any]) -> None:
    replace(spec, **changes).validate()


def test_it_survives_json_and_keys_of_other_versions_are_passed_over(spec: Spec) -> None:
    spec = replace(spec, settings={"lr": 0.01}, target=3)
    assert Spec.from_dict(spec.to_dict() | {"of_the_future": 1}) == spec


def test_paths_become_absolute_and_names_of_image_sets_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = Spec(weights="net.v2.pth.tar", images="pictures", model_class="net.py:Net").resolved()
    assert spec.model_class == f"{tmp_path / 'net.py'}:Net"
    assert (spec.weights, spec.images) == (str(tmp_path / "net.v2.pth.tar"), str(tmp_path / "pictures"))
    assert spec.name == "net"
    assert Spec(scan_of="runs/one").resolved().scan_of == str(tmp_path / "runs" / "one")
    assert Spec(scan_of="20260101-000000-one-0000").resolved().scan_of == "20260101-000000-one-0000"
    assert Spec(victim="Signs_BadNets", images="signs").resolved().images == "signs"
    assert Spec(victim="Signs_BadNets").name == "signs-badnets"
