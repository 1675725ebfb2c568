"""The proof on the small victim: as its own cure, beside an honest twin, halfway between, and without a trigger."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from copy import deepcopy
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from core.compute.returning import Returning
from core.data.imageset import as_float
from core.events import Verified
from core.models.classifier import Classifier
from core.scan.scan import Scan, scan
from core.training.batchnorm import recompute_statistics
from core.verify import woken
from core.verify.path import interpolated
from core.verify.proof import Proof
from tests.core.tiny import Tiny


@pytest.fixture(scope="module", autouse=True)
def scanned_once() -> Iterator[None]:
    """Most of a proof is its scan: of the same model, images and seed it is made once, for all proofs that ask."""
    made: list[tuple[Classifier, Tensor, int, list[tuple[int, int]], Scan]] = []

    def again(
        model: Classifier, images: Tensor, seed: int = 0, refined: bool = True
    ) -> Generator[tuple[int, int], None, Scan]:
        assert not refined, "nothing is trained against the triggers of a proof"
        for scanned, on, by, told, found in made:
            if scanned is model and by == seed and torch.equal(on, images):
                yield from told
                return found
        steps = Returning(scan(model, images, seed=seed, refined=refined))
        told = list(steps)
        made.append((model, images, seed, told, steps.result))
        yield from told
        return steps.result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.verify.proof.scan", again)
        yield


def proof(tiny: Tiny, purified: Classifier, seed: int = 0, **changes: Any) -> Proof:
    given: dict[str, Any] = {"true_asr": tiny.figures(purified)[1]} | changes
    return Proof(tiny.model, purified, tiny.images.x_test, tiny.images.y_test, tiny.target, seed=seed, **given)


def done(made: Proof) -> tuple[Verified, list[tuple[int, int]]]:
    steps = Returning(made.steps())
    told = list(steps)
    return steps.result, told


@pytest.fixture(scope="module")
def uncured(tiny: Tiny) -> tuple[Proof, Verified, list[tuple[int, int]]]:
    made = proof(tiny, tiny.model)
    return made, *done(made)


@pytest.fixture(scope="module")
def as_they_were(tiny: Tiny, honest: Classifier) -> list[dict[str, torch.Tensor]]:
    """The weights of both models before any proof."""
    return [{name: value.clone() for name, value in model.state_dict().items()} for model in (tiny.model, honest)]


@pytest.fixture(scope="module")
def cured(tiny: Tiny, honest: Classifier, as_they_were: list[dict[str, torch.Tensor]]) -> tuple[Proof, Verified]:
    made = proof(tiny, honest)
    return made, done(made)[0]


def test_the_victim_itself_fails_and_every_test_says_so(tiny: Tiny, uncured: tuple[Proof, Verified, Any]) -> None:
    _, found, _ = uncured
    assert found.cure == "failed"
    assert found.reasons == ["true", "fresh", "shared", "reach", "scan", "path", "revival"]
    assert found.asr is not None
    assert found.asr > 90
    assert found.natural is not None
    assert found.natural < 5
    assert found.evidence["scan"]["target"] == tiny.target
    assert "second" not in found.evidence["scan"]
    assert found.evidence["shared"]["control"] < 5, "no other class has a shared trigger as small"
    assert found.evidence["revival"]["control"] < 20


def test_a_model_that_was_never_attacked_holds(honest: Classifier, cured: tuple[Proof, Verified]) -> None:
    _, found = cured
    assert (found.cure, found.reasons) == ("holds", [])
    assert found.asr is not None
    assert found.asr < 4
    assert set(found.evidence) == {"true", "fresh", "shared", "reach", "scan", "path", "revival"}
    assert found.evidence["fresh"]["before"] > 90, "they are triggers, of the victim"


def test_figures_are_told_by_hand(tiny: Tiny, cured: tuple[Proof, Verified], honest: Classifier) -> None:
    """The worst fresh trigger on the measured half, counted again."""
    made, found = cured
    images, labels = tiny.images.x_test[made.asr_indices], tiny.images.y_test[made.asr_indices]
    assert found.images == len(labels)
    assert not (labels == tiny.target).any()
    with torch.no_grad():
        x = images.float() / 255
        natural = 100 * (honest(x).argmax(1) == tiny.target).float().mean()
        rates = [100 * float((honest(one(x)).argmax(1) == tiny.target).float().mean()) for one in made.fresh]
    assert found.natural == pytest.approx(float(natural), abs=0.01)
    assert found.evidence["fresh"]["asr"] == pytest.approx(max(rates), abs=0.01)
    assert found.asr == max(found.evidence["fresh"]["asr"], found.evidence["shared"]["asr"])


def test_what_is_sought_on_is_not_measured_on(cured: tuple[Proof, Verified]) -> None:
    made, _ = cured
    assert not set(made.search_indices.tolist()) & set(made.asr_indices.tolist())


@pytest.fixture(scope="module")
def halfway(tiny: Tiny, honest: Classifier) -> tuple[Proof, Verified]:
    """Of a model halfway back, as of a stranger's: fresh triggers have to tell. Its seed is another."""
    shares = (0.5, 0.6, 0.7, 0.8, 0.9)
    models = (interpolated(tiny.model, honest, share, tiny.images.x_train) for share in shares)
    half = next(model for model in models if tiny.figures(model)[1] > 10)
    assert tiny.figures(half)[1] < 95
    made = proof(tiny, half, seed=1, true_asr=None)
    return made, done(made)[0]


def test_a_model_halfway_back_does_not_hold(halfway: tuple[Proof, Verified]) -> None:
    _, found = halfway
    assert found.cure != "holds"
    assert "fresh" in found.reasons


def test_another_backdoor_of_the_victim_is_seen(tiny: Tiny) -> None:
    # class 5 was found and cured, which is nothing
    found, _ = done(Proof(tiny.model, tiny.model, tiny.images.x_test, tiny.images.y_test, 5, seed=0))
    said = {"verdict": "strong", "target": tiny.target, "suspicion": 0, "second": True}
    assert found.evidence["scan"] | {"suspicion": 0} == said
    assert "scan" in found.reasons


@pytest.mark.parametrize("purified_against", [5, 3])
def test_where_the_victim_showed_no_sign_any_class_that_the_new_scan_names_is_new(
    tiny: Tiny, purified_against: int
) -> None:
    assert tiny.target == 3
    given: dict[str, Any] = {"backdoor_found": False, "seed": 0}
    tests = tiny.images.x_test, tiny.images.y_test
    found, _ = done(Proof(tiny.model, tiny.model, *tests, purified_against, **given))
    assert (found.evidence["scan"]["target"], found.evidence["scan"]["second"]) == (tiny.target, True)
    assert "scan" in found.reasons
    again, _ = done(
        Proof(tiny.model, tiny.model, *tests, purified_against, **given, source_models={3: tiny.model}, suspects=[3])
    )
    assert "second" not in again.evidence["scan"], "it has been purified against"
    assert again.evidence["others"]["asr"] > 90


def test_a_second_backdoor_that_was_not_cured_fails_and_an_honest_class_is_not_tested(
    tiny: Tiny, honest: Classifier
) -> None:
    """The backdoor of the victim as its second one: class 5 was named and cured, classes 3 and 0 stood out as well."""
    given: dict[str, Any] = {"target": 5, "seed": 0}
    tests = tiny.images.x_test, tiny.images.y_test
    found, told = done(Proof(tiny.model, tiny.model, *tests, **given, suspects=[0, tiny.target]))
    assert found.cure == "failed"
    assert {"others", "unknown"} <= set(found.reasons)
    assert found.evidence["others"]["target"] == tiny.target
    assert found.evidence["others"]["asr"] > 90
    assert found.evidence["others"]["control"] < 5
    assert found.evidence["untested"] == {"targets": [0]}, "nothing that is small enough leads there"
    assert told[-1][0] == told[-1][1]
    cured, _ = done(Proof(tiny.model, honest, *tests, **given, suspects=[tiny.target]))
    assert cured.evidence["others"]["asr"] < 4
    assert cured.evidence["others"]["before"] > 90
    assert not {"others", "scan"} & set(cured.reasons)
    assert "untested" not in cured.evidence


def test_a_class_that_only_a_later_model_showed_is_tested_with_triggers_of_that_model(
    tiny: Tiny, honest: Classifier
) -> None:
    given: dict[str, Any] = {"target": 5, "seed": 0}
    given |= {"images": tiny.images.x_test, "labels": tiny.images.y_test, "suspects": [tiny.target]}
    without, _ = done(Proof(honest, honest, **given))
    assert without.evidence["untested"] == {"targets": [tiny.target]}, "the victim does not show it"
    cured, _ = done(Proof(honest, honest, **given, source_models={tiny.target: tiny.model}))
    asked = cured.evidence["others"]
    assert (asked["target"], asked["later"]) == (tiny.target, True)
    assert asked["before"] > 90
    assert asked["asr"] < 4
    assert "untested" not in cured.evidence


def test_a_class_that_stands_out_in_the_purified_model_alone_is_no_rest_of_a_backdoor(
    tiny: Tiny, honest: Classifier
) -> None:
    found, _ = done(Proof(honest, tiny.model, tiny.images.x_test, tiny.images.y_test, 5, seed=0))
    assert found.evidence["scan"]["target"] == tiny.target
    assert found.evidence["scan"]["suspicion"] > 2
    assert found.evidence["scan"]["verdict"] == "none"
    assert "woken" not in found.evidence, "nor does further training bring it about in the victim"


NOTHING_FOUND = {"true_asr": None, "backdoor_found": False}


@pytest.fixture(scope="module")
def awake(sleeping: Tiny) -> Classifier:
    """As after a purification that did nothing else: the statistics are of clean images."""
    purified = deepcopy(sleeping.model)
    recompute_statistics(purified, as_float(sleeping.x))
    return purified


def test_a_backdoor_that_the_purification_woke_fails(sleeping: Tiny, awake: Classifier) -> None:
    found, told = done(proof(sleeping, awake, **NOTHING_FOUND))
    assert (found.cure, found.reasons) == ("failed", ["woken", "unknown"])
    asked = found.evidence["woken"]
    assert asked["target"] == sleeping.target
    assert asked["asr"] > 50, "96 to 99"
    assert asked["control"] < 20, "2 to 4"
    counted = [one for one, _ in told]
    assert counted == sorted(counted)


def test_a_class_that_was_woken_beside_two_others_is_named_and_theirs_are_not_compared_with(
    sleeping: Tiny, awake: Classifier
) -> None:
    """Class 5 was found and cured, class 0 stood out as well; the victim has a trigger towards neither."""
    tests = sleeping.images.x_test, sleeping.images.y_test
    found, told = done(Proof(sleeping.model, awake, *tests, 5, seed=0, suspects=[0]))
    assert (found.cure, found.reasons) == ("failed", ["woken", "unknown"])
    assert found.evidence["woken"]["target"] == sleeping.target
    assert found.evidence["woken"]["asr"] > 50
    assert found.evidence["scan"] | {"suspicion": 0} == {
        "verdict": "none", "target": sleeping.target, "suspicion": 0, "suspects": [0],
    }, "as the victim has no trigger of that size"  # fmt: skip
    assert found.evidence["untested"] == {"targets": [0]}
    assert told[-1][0] == told[-1][1]


def biased(model: Classifier, label: int, amount: float) -> Classifier:
    """The model with a class that is answered more readily, or less."""
    copy = deepcopy(model)
    with torch.no_grad():
        copy.net.fc.bias[label] += amount  # type: ignore[union-attr, operator, index]
    return copy


@pytest.mark.parametrize(("label", "less", "more"), [(9, 6.0, 8.0)])
def test_an_honest_class_is_not_woken_where_all_others_became_harder_to_reach(
    tiny: Tiny, honest: Classifier, label: int, less: float, more: float
) -> None:
    """The victim answers the class too rarely, which further training mends; the purified model far too readily."""
    tests = tiny.images.x_test, tiny.images.y_test
    victim, purified = biased(honest, label, -less), biased(honest, label, more)
    found, _ = done(Proof(victim, purified, *tests, tiny.target, seed=0, **NOTHING_FOUND))
    assert found.evidence["scan"]["target"] == label
    assert found.evidence["scan"]["suspicion"] > 2.8, "it stands out in the purified model"
    assert "woken" not in found.evidence
    assert (found.cure, found.reasons) == ("doubt", ["unknown"])


def test_where_the_further_training_diverges_that_class_stays_untested(
    sleeping: Tiny, awake: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(woken, "SETTINGS", replace(woken.SETTINGS, lr=1e30, clip=0.0))
    found, _ = done(proof(sleeping, awake, **NOTHING_FOUND))
    assert (found.cure, found.reasons) == ("doubt", ["unknown"])
    assert found.evidence["untested"] == {"targets": [sleeping.target]}


def test_where_no_trigger_was_found_nothing_is_claimed(tiny: Tiny, honest: Classifier) -> None:
    found, told = done(proof(tiny, honest, backdoor_found=False, true_asr=None))
    assert (found.cure, found.reasons, found.asr) == ("doubt", ["unknown"], None)
    assert set(found.evidence) == {"scan"}
    assert told[-1][0] == told[-1][1]


def test_in_the_lab_the_real_trigger_stands_in_where_no_fresh_one_shows_a_backdoor(
    tiny: Tiny, honest: Classifier
) -> None:
    """The victim's class 0 has no backdoor, so nothing that is small enough leads there."""
    given: dict[str, Any] = {"target": 0, "seed": 0, "true_asr": 1.0}
    made = Proof(honest, honest, tiny.images.x_test, tiny.images.y_test, trigger=tiny.trigger, **given)
    found, _ = done(made)
    assert made.fresh == []
    assert set(found.evidence) == {"true", "scan", "path", "revival"}
    assert (found.cure, found.reasons) == ("doubt", ["unknown"]), "no more than of a stranger's model"
    without, _ = done(Proof(honest, honest, tiny.images.x_test, tiny.images.y_test, **given | {"true_asr": None}))
    assert (set(without.evidence), without.reasons) == ({"scan"}, ["unknown"])


def test_it_counts_up_to_its_end(uncured: tuple[Proof, Verified, list[tuple[int, int]]]) -> None:
    _, _, told = uncured
    counted = [one for one, _ in told]
    assert counted == sorted(counted)
    assert len({total for _, total in told}) == 1
    assert told[-1][0] == told[-1][1]


def test_what_it_says_survives_json(uncured: tuple[Proof, Verified, Any], cured: tuple[Proof, Verified]) -> None:
    for found in (uncured[1], cured[1]):
        assert json.loads(json.dumps(asdict(found))) == asdict(found)


def test_the_seed_decides_which_images_and_triggers(
    uncured: tuple[Proof, Verified, Any], cured: tuple[Proof, Verified], halfway: tuple[Proof, Verified]
) -> None:
    """Fresh triggers are the victim's, whatever became of it."""
    first, again, other = uncured[0], cured[0], halfway[0]
    assert torch.equal(again.asr_indices, first.asr_indices)
    assert not torch.equal(other.asr_indices, first.asr_indices)
    one, same, another = (made.reconstructed[0].pattern for made in (first, again, other))
    assert torch.equal(one, same)
    assert not torch.equal(one, another)


def test_neither_model_changes(
    tiny: Tiny, honest: Classifier, as_they_were: list[dict[str, torch.Tensor]], cured: tuple[Proof, Verified]
) -> None:
    for model, kept in zip((tiny.model, honest), as_they_were, strict=True):
        assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
        assert not model.training
        assert all(parameter.requires_grad for parameter in model.parameters())


def test_too_few_images_leave_doubt(tiny: Tiny, honest: Classifier) -> None:
    few = tiny.images.x_test[:40], tiny.images.y_test[:40]
    found, _ = done(Proof(tiny.model, honest, *few, tiny.target, seed=0))
    assert found.images <= 20
    assert found.cure != "holds"
