import pytest
from torch import tensor

from core.errors import BadInput
from core.metrics import attack_success_rate, benign_accuracy


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
