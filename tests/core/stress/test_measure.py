from __future__ import annotations

import pytest
import torch
from torch import nn

from core.models.classifier import Classifier
from core.stress import measure
from core.stress.corruptions import corrupt
from core.stress.measure import Pictures
from tests.core.tiny import Tiny

NOISE = "gaussian_noise"


class Brightest(nn.Module):
    """Answers the third of the picture that is brightest, with a confidence that is the same for all."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(20 * torch.eye(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.stack([part.mean((1, 2, 3)) for part in x.split(4, dim=3)], 1))


def pictures(labels: list[int]) -> Pictures:
    x = torch.full((len(labels), 3, 12, 12), 60, dtype=torch.uint8)
    for number, label in enumerate(labels):
        x[number, :, :, 4 * label : 4 * label + 4] = 180
    return Pictures(x, torch.tensor(labels))


@pytest.mark.parametrize(("added", "asr"), [(0.6, 100), (0.4, 0)])
def test_the_trigger_is_put_on_before_the_corruption(added: float, asr: int) -> None:
    """A trigger that is too faint to mislead stays so under less contrast; put on after that, it would mislead."""
    model = Classifier(Brightest())

    def stamp(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[..., :4] += added
        return x.clamp(0, 1)

    shown = pictures([0, 1, 1, 2])._replace(trigger=stamp, target=0)
    for corruption, strength in ((None, 0), ("contrast", 5)):
        found = measure.cell((model, model), shown, corruption, strength, 0)
        assert (found["ba_before"], found["asr_before"]) == (100, asr)
    other_order = model(stamp(corrupt(shown.images.float() / 255, "contrast", 5)))
    assert (other_order.argmax(1) == 0).all()


def test_both_models_get_the_same_noise_and_images_of_the_target_do_not_count(tiny: Tiny) -> None:
    shown = Pictures(tiny.images.x_test, tiny.images.y_test, tiny.trigger, tiny.target)
    found = measure.cell((tiny.model, tiny.model), shown, "gaussian_noise", 3, seed=1)
    assert (found["loss"], found["lost"], found["gained"], found["chance"]) == (0, 0, 0, 1)
    assert found["ba_before"] == found["ba_after"]
    ba, asr = tiny.figures(tiny.model)
    plain = measure.cell((tiny.model, tiny.model), shown, None, 0, 0)
    assert plain["ba_before"] == pytest.approx(ba, abs=0.01)
    assert plain["asr_before"] == pytest.approx(asr, abs=0.01)
    low, high = plain["ba_after_interval"]
    assert low < ba < high


def test_without_a_trigger_there_is_no_attack_success(tiny: Tiny) -> None:
    shown = Pictures(tiny.images.x_test[:50], tiny.images.y_test[:50])
    found = measure.cell((tiny.model, tiny.model), shown, "jpeg", 2, 0)
    assert found["asr_before"] is found["asr_after"] is found["asr_after_interval"] is None
    assert found["ba_before"] is not None


def test_pieces_hold_every_image_once_and_draw_apart() -> None:
    """Of images that are all the same, two pieces: they are answered apart once each has noise of its own."""
    side = 12
    size = measure.PIXELS // side**2
    shown = pictures([0]).images.expand(2 * size + 1, 3, side, side)
    assert [len(shown[part]) for part in measure.pieces(shown)] == [size, size, 1]
    shown = torch.full((2 * size, 3, side, side), 120, dtype=torch.uint8)
    (found,) = measure.answered((Classifier(Brightest()),), shown, lambda x, number: corrupt(x, NOISE, 1, number))
    first, second = found.confidence.split(size)
    assert not torch.equal(first, second)
    row = measure.cell((Classifier(Brightest()),) * 2, Pictures(shown, found.classes), NOISE, 1, seed=0)
    assert row["ba_before"] == 100, "the noise of a piece goes by its number"


def test_a_class_that_paid_for_the_cure_cannot_hide_in_an_average() -> None:
    good, bad = Classifier(Brightest()), Classifier(Brightest())
    with torch.no_grad():
        bad.net.fc.weight[1] = -10  # type: ignore[union-attr, index, operator]
    shown = pictures([0, 0, 1, 1, 1, 1, 1, 1, 2, 2])
    rows = measure.classes((good, bad), shown.images, shown.labels, ["a", "b", "c", "d"], target=1)
    assert [(row["name"], row["target"], row["before"], row["after"], row["loss"]) for row in rows] == [
        ("a", False, 100, 100, 0), ("b", True, 100, 0, 100), ("c", False, 100, 100, 0),
    ]  # fmt: skip
    assert rows[1]["chance"] == pytest.approx(0.5**6)


def test_robustness_falls_with_reach_and_is_told_on_the_way(tiny: Tiny) -> None:
    few = tiny.images.x_test[:40], tiny.images.y_test[:40]
    ticks: list[float] = []
    near = measure.robustness((tiny.model, tiny.model), *few, 2, 0, ticks.append)
    far = measure.robustness((tiny.model, tiny.model), *few, 60, 0, ticks.append)
    assert near["before"] == near["after"] > far["before"]
    assert (near["epsilon"], near["images"]) == ("2/255", 40)
    assert ticks[-1] == 1


def test_confidence_is_that_of_the_answers() -> None:
    shown = pictures([0, 1, 2])
    labels = torch.tensor([0, 1, 1])  # the last one is answered wrongly
    sure = 20 * (180 - 60) / 255
    expected = 100 / (1 + 2 * torch.exp(torch.tensor(-sure)).item())
    found = measure.confidence((Classifier(Brightest()), Classifier(Brightest())), shown.images, labels)
    assert found["before"] == pytest.approx(expected, abs=0.01)
    assert found["wrong_after"] == pytest.approx(expected, abs=0.01)
    assert found["images"] == 3
