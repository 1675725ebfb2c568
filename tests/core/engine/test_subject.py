from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from core.data import load
from core.data.imageset import ImageSet
from core.data.inputs import NORMALIZATIONS, statistics
from core.engine.subject import load_subject, renumbered, sorted_as_text
from core.errors import BadInput
from core.found import Found
from core.metrics import benign_accuracy
from core.models import build
from core.models.evaluate import answers
from core.models.inputs import own_statistics
from core.models.weights import save_weights
from core.runs.spec import Spec
from core.victims import card_of

VICTIM = card_of("digits-badnets")


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    """With a part of the training images, on which networks and scalings are tried."""
    images = load("digits")
    return replace(images, x_train=images.x_train[:500], y_train=images.y_train[:500])


@pytest.fixture
def three() -> ImageSet:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (30, 3, 16, 16), np.uint8))
    return ImageSet("three", x, torch.arange(30) % 3, x, torch.arange(30) % 3, ("a", "b", "c"))


def strange(**changes: Any) -> Spec:
    return Spec(**{"weights": str(VICTIM.weights), "images": "digits", "device": "cpu"} | changes)


def test_a_victim_comes_with_card_and_trigger(digits: ImageSet) -> None:
    subject = load_subject(Spec(victim=VICTIM.name, images="digits"), digits)
    assert subject.card == VICTIM
    assert subject.trigger is not None
    assert subject.trigger(torch.zeros(1, 3, 16, 16))[0, 0, 15, 15] == 1
    assert subject.arch == "small"
    assert not subject.model.training
    assert benign_accuracy(answers(subject.model, digits.x_test), digits.y_test) == pytest.approx(VICTIM.ba, abs=0.5)


def test_of_a_strangers_model_the_network_is_found_and_the_attack_unknown(digits: ImageSet) -> None:
    subject = load_subject(strange(), digits)
    assert subject.arch == "small"
    assert subject.card is None
    assert subject.trigger is None
    assert statistics(subject.normalize.partition(":")[0])


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_a_scaling_that_is_given_is_used(digits: ImageSet, name: str) -> None:
    subject = load_subject(strange(normalize=name, arch="small"), digits)
    assert subject.normalize == name
    assert subject.model.mean.flatten().tolist() == pytest.approx(NORMALIZATIONS[name][0])
    assert subject.model.std.flatten().tolist() == pytest.approx(NORMALIZATIONS[name][1])


BRIGHT = """
from torch import nn

class Bright(nn.Module):
    \"\"\"Calls a picture bright if its scaled values are above 0 on the whole: what that means, the scaling says.\"\"\"

    def __init__(self, num_classes):
        super().__init__()
        self.fc = nn.Linear(3, num_classes, bias=False)

    def forward(self, x):
        return self.fc(x.mean((2, 3)))
"""


@pytest.mark.parametrize(
    ("name", "dark", "bright"), [("half", 120, 135), ("cifar10", 118, 125), ("imagenet", 112, 119)]
)
def test_the_scaling_under_which_the_model_answers_rightly_is_found(
    name: str, dark: int, bright: int, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(BRIGHT)
    pixels = torch.cat([torch.full((200, 3, 8, 8), value) for value in (dark, bright)]).to(torch.uint8)
    labels = torch.arange(400) // 200
    images = ImageSet("bright", pixels, labels, pixels, labels, ("dark", "bright"))
    save_weights(tmp_path / "a", {"fc.weight": torch.tensor([[0.0] * 3, [1.0] * 3])})
    own = f"{tmp_path / 'net.py'}:Bright"
    subject = load_subject(Spec(weights=str(tmp_path / "a"), images="bright", model_class=own, device="cpu"), images)
    assert subject.accuracy == 100
    right = [t for t in subject.tried if t.name == name]
    assert [t.accuracy for t in right] == [100]
    assert subject.normalize == name or right[0].tied
    model = subject.model
    assert [int(model(torch.full((1, 3, 8, 8), value / 255)).argmax()) for value in (dark, bright)] == [0, 1]


def test_what_was_tried_and_found_is_told(digits: ImageSet) -> None:
    subject = load_subject(strange(), digits)
    assert subject.accuracy is not None
    assert subject.accuracy > 95
    assert (subject.tried[0].arch, subject.tried[0].name) == (subject.arch, subject.normalize)
    assert subject.tried[0].accuracy == subject.accuracy
    assert {t.inputs.scaling for t in subject.tried} == {*NORMALIZATIONS, *own_statistics(digits.x_train)}
    assert [item.code for item in subject.found] == ["file"]
    victim = load_subject(Spec(victim=VICTIM.name, images="digits"), digits)
    assert (victim.accuracy, victim.tried) == (None, ())


def test_a_scaling_with_size_and_colour(digits: ImageSet) -> None:
    subject = load_subject(strange(normalize="half@24:bgr"), digits)
    assert subject.normalize == "half@24:bgr"
    assert (subject.model.size, subject.model.colour) == ((24, 24), "bgr")


def test_images_of_other_classes_do_not_go_with_the_model(three: ImageSet) -> None:
    for spec in (Spec(victim=VICTIM.name, images="three"), strange()):
        with pytest.raises(BadInput, match="10 classes and the images three have 3") as caught:
            load_subject(spec, three)
        assert caught.value.code == "model_classes_differ"


def test_where_the_classes_may_lie_a_folder_below_it_is_said(three: ImageSet) -> None:
    below = replace(three, notes=(Found("below", "", {"count": 9}),))
    with pytest.raises(BadInput, match="have folders inside them") as caught:
        load_subject(strange(), below)
    assert caught.value.code == "model_classes_below"


def test_a_model_is_judged_on_all_classes_where_they_take_turns() -> None:
    """As many images as make every tenth one, or every fiftieth, of the same of ten classes."""
    digits = load("digits")
    members = [torch.nonzero(digits.y_train == label).flatten()[:100] for label in range(10)]
    turns = torch.stack(members, 1).flatten().repeat(5)
    images = replace(digits, x_train=digits.x_train[turns], y_train=digits.y_train[turns])
    subject = load_subject(strange(), images)
    right = benign_accuracy(answers(subject.model, images.x_train), images.y_train)
    assert subject.accuracy == pytest.approx(right, abs=1.5)


def test_classes_in_another_order_are_recognised(digits: ImageSet) -> None:
    """In whatever order: the sentence says which class is which, and how folders are sorted."""
    order = torch.tensor([0, 1, 9, 8, 7, 6, 5, 4, 3, 2])
    other = replace(digits, y_train=order[digits.y_train], y_test=order[digits.y_test])
    with pytest.raises(BadInput, match="another order") as caught:
        load_subject(strange(), other)
    assert caught.value.code == "classes_renumbered"
    facts = caught.value.facts
    assert float(facts["renumbered"]) > 90 > 30 > float(facts["accuracy"])
    assert str(facts["pairs"]).startswith("2 is its class 9, 3 is its class 8")
    assert "by number where all names are numbers" in caught.value.message


def test_classes_of_which_none_kept_its_place_are_recognised() -> None:
    """Then hardly an answer is right under the true scaling, and the one that counted most right says nothing."""
    digits = load("digits")
    other = replace(digits, y_train=9 - digits.y_train, y_test=9 - digits.y_test)
    with pytest.raises(BadInput) as caught:
        load_subject(strange(), other)
    assert caught.value.code == "classes_renumbered"
    assert float(caught.value.facts["renumbered"]) > 90


def test_another_order_is_recognised_on_few_images_whatever_scaling_answers_most_of_them_rightly() -> None:
    """On 200 images, with the classes one place further, another size than the model's has most answers right."""
    digits = load("digits")
    turned = replace(digits, x_train=digits.x_test[:200], y_train=(digits.y_test[:200] + 9) % 10)
    with pytest.raises(BadInput) as caught:
        load_subject(strange(), turned)
    assert caught.value.code == "classes_renumbered"
    assert float(caught.value.facts["renumbered"]) > 90


def test_classes_sorted_as_text_are_recognised(digits: ImageSet) -> None:
    """Folders 1 to 10: ImageFolder numbers them 1, 10, 2, ... and so does the model trained with it."""
    order = torch.tensor([0, 9, 1, 2, 3, 4, 5, 6, 7, 8])  # the model's class 1 is folder 10, the last by number
    names = tuple(str(number) for number in range(1, 11))
    other = replace(digits, y_train=order[digits.y_train], y_test=order[digits.y_test], class_names=names)
    with pytest.raises(BadInput, match="c1, c2, c10") as caught:
        load_subject(strange(), other)
    assert caught.value.code == "classes_sorted_as_text"
    assert float(caught.value.facts["renumbered"]) > 70 > 50 > float(caught.value.facts["accuracy"])


def test_the_order_of_text() -> None:
    assert sorted_as_text(("1", "2", "10")).tolist() == [0, 2, 1]
    assert sorted_as_text(("01", "02", "10")).tolist() == [0, 1, 2]


def test_a_model_that_answers_no_better_than_chance_is_refused(digits: ImageSet, tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_weights(tmp_path / "a", dict(build("small", 10).state_dict()))
    with pytest.raises(BadInput, match=r"--arch.*--normalize") as caught:
        load_subject(strange(weights=str(tmp_path / "a")), digits)
    assert caught.value.code == "near_chance"
    is_specified = strange(weights=str(tmp_path / "a"), arch="small", normalize="none")
    assert load_subject(is_specified, digits).accuracy is not None, "who names everything is taken at their word"


def test_a_renumbering_is_the_best_one() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    right, order = renumbered(torch.tensor([1, 1, 2, 0, 0, 0]), labels, 3)
    assert right == pytest.approx(100 * 5 / 6)
    assert order.tolist() == [1, 2, 0]


def test_a_class_of_the_users_own(digits: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("from core.models.small import SmallNet as Mine\n")
    subject = load_subject(strange(model_class=f"{tmp_path / 'net.py'}:Mine"), digits)
    assert subject.arch.endswith("net.py:Mine")
    assert subject.accuracy is not None
    assert subject.accuracy > 95


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"weights": "gone.pth"}, "weights_not_found"),
        ({"arch": "wrn16-1"}, "weights_do_not_fit"),
        ({"arch": "huge"}, "unknown_architecture"),
        ({"arch": "sequential/relu"}, "not_a_row"),
        ({"model_class": "gone.py:Net"}, "model_class_not_found"),
    ],
)
def test_what_cannot_be_loaded_is_told(digits: ImageSet, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_subject(strange(**changes), digits)
    assert caught.value.code == code


def test_images_of_a_size_that_does_not_fit(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 20 * 20, 4), nn.ReLU(), nn.Linear(4, 3))
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(1200, 4), nn.ReLU(), nn.Linear(4, 3))\n"
    )
    save_weights(tmp_path / "a", dict(net.state_dict()))
    x = torch.zeros(30, 3, 16, 16, dtype=torch.uint8)
    images = ImageSet("three", x, torch.arange(30) % 3, x, torch.arange(30) % 3, ("a", "b", "c"))
    spec = Spec(weights=str(tmp_path / "a"), images="three", model_class=f"{tmp_path / 'net.py'}:net")
    with pytest.raises(BadInput, match="16 x 16") as caught:
        load_subject(spec, images)
    assert caught.value.code == "size_does_not_fit"
    assert load_subject(replace(spec, normalize="none@20"), images).model.size == (20, 20)


@pytest.mark.parametrize("arch", [None, "torchvision/squeezenet1_1"])
def test_a_network_without_a_linear_layer_is_told_that_and_nothing_of_its_size(
    digits: ImageSet, tmp_path: Path, arch: str | None
) -> None:
    import torchvision

    save_weights(tmp_path / "w.safetensors", torchvision.models.squeezenet1_1(num_classes=10).state_dict())
    with pytest.raises(BadInput) as caught:
        load_subject(strange(weights=str(tmp_path / "w.safetensors"), arch=arch), digits)
    assert caught.value.code == ("no_linear_layer" if arch else "weights_without_linear")


def test_one_large_class_does_not_decide_on_the_refusal(digits: ImageSet) -> None:
    """With 99 % of the images in it, no network could do clearly better than to answer it always."""
    members = [torch.nonzero(digits.y_train == k).flatten() for k in range(10)]
    chosen = torch.cat([members[3].repeat(20), *(part[:3] for k, part in enumerate(members) if k != 3)])
    images = replace(digits, x_train=digits.x_train[chosen], y_train=digits.y_train[chosen])
    subject = load_subject(strange(), images)
    assert subject.accuracy is not None
    assert subject.accuracy > 90
    blind = replace(images, x_train=torch.zeros_like(images.x_train))  # all are answered with one class
    always = int(answers(subject.model, blind.x_train[:1])[0])
    swapped = {3: always, always: 3}
    labels = torch.tensor([swapped.get(label, label) for label in images.y_train.tolist()])
    with pytest.raises(BadInput, match="the mean over the classes") as caught:
        load_subject(strange(), replace(blind, y_train=labels))
    assert caught.value.code == "near_chance"


def test_classes_that_take_turns_are_all_asked_about() -> None:
    """Every 24th of the 12,000 road signs is of one class, and by that class alone no model is better than chance."""
    subject = load_subject(strange(weights=str(card_of("signs-badnets").weights), images="signs"), load("signs"))
    assert subject.accuracy is not None
    assert abs(subject.accuracy - card_of("signs-badnets").ba) < 3
