import pytest
import torch
from torch import tensor

from core.errors import BadInput
from core.featuremap.dissolution import dissolution
from core.metrics import attack_success_rate, benign_accuracy
from tests.core.featuremap.scenes import scene


def measured(features, label, triggered, **settings):
    return dissolution(torch.from_numpy(features), torch.from_numpy(label), torch.from_numpy(triggered), **settings)


def test_benign_accuracy_with_and_without_the_target_class():
    predictions, labels = tensor([0, 1, 2, 2]), tensor([0, 1, 1, 2])
    assert benign_accuracy(predictions, labels) == 75.0
    assert benign_accuracy(predictions, labels, leave_out=2) == pytest.approx(200 / 3)


def test_attack_success_leaves_out_images_of_the_target_class():
    assert attack_success_rate(tensor([5, 5, 5, 1]), tensor([5, 0, 1, 1]), target=5) == pytest.approx(200 / 3)


def test_nothing_to_count_is_said():
    with pytest.raises(BadInput, match=r"other than the target \(5\)") as caught:
        attack_success_rate(tensor([5, 1]), tensor([5, 5]), target=5)
    assert caught.value.code == "no_triggered_images"
    with pytest.raises(BadInput, match="other than 1") as caught:
        benign_accuracy(tensor([1]), tensor([1]), leave_out=1)
    assert caught.value.code == "no_clean_images"


class OnApples(torch.Tensor):
    """Stands for a tensor on Apple's GPU, which has no float64."""

    device = property(lambda self: torch.device("mps"))  # type: ignore[assignment]

    def to(self, *_: object) -> torch.Tensor:  # type: ignore[override]
        return self

    def cpu(self) -> torch.Tensor:  # type: ignore[override]
        return self.as_subclass(torch.Tensor)

    def double(self) -> torch.Tensor:  # type: ignore[override]
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")


def test_a_device_without_float64_gives_the_same_figure():
    home, apart, label, triggered = scene(clean=300, triggered=100)
    tables = [torch.from_numpy(table) for table in (0.3 * apart + 0.7 * home, label, triggered)]
    value = dissolution(*tables)
    assert 0 < value < 100
    assert dissolution(*(table.as_subclass(OnApples) for table in tables)) == pytest.approx(value)
