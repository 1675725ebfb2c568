import numpy as np
import pytest
import torch

from core.data import signs
from core.data.drawn import keep_drawn
from core.errors import BadInput


def test_a_subset_has_the_pixels_of_the_whole():
    whole = signs.draw(torch.arange(450), "test")
    some = torch.tensor([449, 3, 201, 3])
    assert torch.equal(signs.draw(some, "test"), whole[some])
    assert torch.equal(signs.draw(torch.arange(199, 449), "test"), whole[199:449])


def test_thread_count_changes_no_pixel_and_is_left_alone():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = signs.draw(torch.arange(401), "train")
        torch.set_num_threads(3)
        assert torch.equal(signs.draw(torch.arange(401), "train"), one)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_seed_and_split_make_other_pictures():
    first = torch.arange(8)
    pictures = signs.draw(first, "train", 0)
    assert pictures.shape == (8, 3, 32, 32)
    assert pictures.dtype == torch.uint8
    assert not torch.equal(pictures, signs.draw(first, "train", 1))
    assert not torch.equal(pictures, signs.draw(first, "test", 0))
    assert torch.equal(pictures, signs.draw(first, "train", 0))


def test_nothing_to_draw():
    assert signs.draw(torch.arange(0), "train").shape == (0, 3, 32, 32)


def test_pictures_use_the_range_and_differ():
    pictures = signs.draw(torch.arange(240), "test").float()
    assert pictures.amin() < 10
    assert pictures.amax() > 245
    assert 70 < pictures.mean() < 150
    flat = pictures.flatten(1)
    assert torch.cdist(flat, flat).fill_diagonal_(1e9).min() > 300


def test_a_class_can_be_told_from_its_pictures():
    """Blue signs are bluer in the middle than stop signs: the label belongs to the picture."""
    names, of = signs.CLASS_NAMES, signs.labels("train")[:600]
    middle = signs.draw(torch.arange(600), "train")[:, :, 10:22, 10:22].float().mean((2, 3))
    blueness = middle[:, 2] - middle[:, 0]
    means = {name: float(blueness[of == index].mean()) for index, name in enumerate(names)}
    assert min(means["ahead only"], means["roundabout"]) > 15
    assert max(means["stop"], means["no entry"], means["priority road"]) < -15


@pytest.mark.parametrize("split", ["train", "test"])
def test_classes_are_balanced(split):
    counts = torch.bincount(signs.labels(split))
    assert len(counts) == len(signs.CLASS_NAMES) >= 12
    assert counts.min() == counts.max() == signs.SIZES[split] / len(counts)


def test_the_classes_the_demo_needs():
    assert {"stop", "give way", "no entry", "priority road", "roundabout", "pedestrians", "speed limit 80"} <= set(
        signs.CLASS_NAMES
    )
    assert sum(name.startswith("speed limit") for name in signs.CLASS_NAMES) >= 3


def test_faces_have_a_clear_edge_and_differ():
    faces = [np.asarray(signs.face(index, 64)) for index in range(len(signs.CLASS_NAMES))]
    for picture in faces:
        assert picture.shape == (64, 64, 4)
        assert picture[0, 0, 3] == 0
        assert picture[32, 32, 3] == 255
        assert 0.3 < (picture[..., 3] > 127).mean() < 0.9
    for index, picture in enumerate(faces):
        for other in faces[:index]:
            assert np.abs(picture.astype(int) - other).mean() > 1


def test_a_face_handed_out_can_be_drawn_on():
    signs.face(0, 32).paste("black", (0, 0, 32, 32))
    assert np.asarray(signs.face(0, 32)).max() == 255


@pytest.mark.parametrize(("index", "size", "code"), [(99, 64, "no_such_class"), (0, 5000, "face_size_out_of_range")])
def test_impossible_faces(index, size, code):
    with pytest.raises(BadInput) as caught:
        signs.face(index, size)
    assert caught.value.code == code


def test_the_whole_set_has_the_pixels_that_are_drawn():
    images = signs.load()
    assert images.own
    assert images.size == (32, 32)
    for split, x, y in (("train", images.x_train, images.y_train), ("test", images.x_test, images.y_test)):
        some = torch.tensor([0, 7, signs.SIZES[split] - 1])
        assert len(x) == len(y) == signs.SIZES[split]
        assert torch.equal(x[some], signs.draw(some, split))
        assert torch.equal(y, signs.labels(split))
    assert signs.cache_file(0).is_file()


def test_what_was_drawn_before_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    grey = {split: torch.full((size, 3, 32, 32), 7, dtype=torch.uint8) for split, size in signs.SIZES.items()}
    keep_drawn(signs.cache_file(0), grey)
    told = []
    images = signs.load(progress=lambda done, total: told.append(done))
    assert told == [], "nothing is drawn"
    assert (images.x_train == 7).all()
    assert (images.x_test == 7).all()
