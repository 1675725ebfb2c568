import torch
from sklearn.datasets import load_digits

from core.data import digits


def test_shapes_and_split():
    images = digits.load()
    assert images.size == (16, 16)
    assert images.class_names == tuple("0123456789")
    assert images.own
    assert len(images.x_train) + len(images.x_test) == 1797
    assert 1190 <= len(images.x_train) <= 1205
    for split in (images.y_train, images.y_test):
        counts = torch.bincount(split, minlength=10) / len(split)
        assert (counts - 0.1).abs().max() < 0.01


def test_the_split_is_fixed_and_disjoint():
    first, second = digits.load(), digits.load()
    assert torch.equal(first.x_train, second.x_train)
    assert torch.equal(first.y_test, second.y_test)
    train = {bytes(x.numpy()) for x in first.x_train}
    assert not any(bytes(x.numpy()) in train for x in first.x_test)


def test_pixels_are_the_digits_enlarged_and_keep_their_labels():
    images = digits.load()
    assert torch.equal(images.x_test[:, 0], images.x_test[:, 2])
    small = torch.nn.functional.avg_pool2d(images.x_test[:, 0].float() / 255, 2).flatten(1)
    originals = load_digits()
    distance, nearest = torch.cdist(small, torch.from_numpy(originals.data).float() / 16).min(1)
    assert distance.max() < 1
    assert torch.equal(torch.from_numpy(originals.target)[nearest], images.y_test)
