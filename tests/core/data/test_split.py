import pytest
import torch

from core.data.split import stratified_split
from core.errors import BadInput


def test_every_class_is_in_both_parts():
    y = torch.tensor([0] * 10 + [1] * 2 + [2] * 50)
    train, test = stratified_split(y, ["a", "b", "c"], 0.8, 3)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(62))
    assert torch.bincount(y[train]).tolist() == [8, 1, 40]
    again = stratified_split(y, ["a", "b", "c"], 0.8, 3)
    assert torch.equal(train, again[0])
    assert not torch.equal(train, stratified_split(y, ["a", "b", "c"], 0.8, 4)[0])


@pytest.mark.parametrize(("counts", "code"), [([3, 1], "class_too_small_to_split"), ([3, 0], "class_without_images")])
def test_a_class_too_small_is_named(counts, code):
    y = torch.repeat_interleave(torch.arange(2), torch.tensor(counts))
    with pytest.raises(BadInput, match="fish") as caught:
        stratified_split(y, ["bird", "fish"], 0.8, 0)
    assert caught.value.code == code
