"""Folders of small pictures, and what is said of them."""

import pytest
from PIL import Image

from core.data import load
from core.errors import BadInput


def write(path, colour=(10, 20, 30), size=(6, 5), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path)
    return path


def fill(folder, classes, count=5, **options):
    for k, name in enumerate(classes):
        for i in range(count):
            write(folder / name / f"{i}.png", (k, i, 0), **options)
    return folder


def code_of(path):
    with pytest.raises(BadInput) as caught:
        load(path)
    return caught.value


def notes(images):
    """All but that there are few test images, and dark ones, which goes for all these sets."""
    return {note.code: note.facts for note in images.notes if note.code not in ("few_test", "dark")}
