from __future__ import annotations

import json
import re
import struct
from collections import Counter
from typing import Any

import numpy as np
import pytest

from core.explore.settled import Settled
from core.runs.arrays import FrameArrays
from core.suspicion import NAMES
from dashboard import glossary, i18n
from dashboard.components import explore
from dashboard.components.explore import TERMS, TEXT_KEYS, pack
from dashboard.components.explore_payload import Handout, Layout, Own, RoomPayload, Saliency, Score

N = 5
WORDS = {name: glossary.term(name, "en") for name in TERMS}
TEXTS = {name: i18n.catalogue("en")[f"explore.room.{name}"] for name in TEXT_KEYS}


def payload(**more: Any) -> RoomPayload:
    frames = [FrameArrays(np.full((N, 2), k, np.float32), np.arange(N) % 3, np.full(N, 90)) for k in range(3)]
    facts: dict[str, Any] = {
        "run": "one", "title": "One", "index": np.arange(N) + 100, "labels": np.arange(N) % 3,
        "triggered": np.arange(N) > 3, "twin": np.array([-1, -1, -1, -1, 1]), "frames": frames, "steps": [0, 1, 2],
        "class_names": ["a", "b", "c"], "texts": TEXTS, "terms": WORDS,
    }  # fmt: skip
    return RoomPayload(**(facts | more))


def unpack(content: bytes) -> tuple[dict[str, Any], Any]:
    """The header, and a function that gives a section as an array of a kind."""
    assert content[:4] == explore.MAGIC
    size = struct.unpack("<I", content[4:8])[0]
    header = json.loads(content[8 : 8 + size])

    def section(name: str, kind: str) -> np.ndarray:
        start, length = header["sections"][name]
        assert (8 + size + start) % 4 == 0
        return np.frombuffer(content[8 + size + start :][:length], kind)

    return header, section


def test_the_browser_gets_what_python_has() -> None:
    near = np.array([[[1, 2], [0, 2], [0, 1], [4, 0], [3, 0]]])
    tsne = Layout("tsne", 3, np.arange(N * 3, dtype=np.float32).reshape(1, N, 3))
    pca = Layout("pca", 2, np.ones((2, N, 2), np.float32))
    all_ = Layout("umap", 3, np.linspace(-9, 9, 9 * N, dtype=np.float32).reshape(3, N, 3))
    scores = [Score("ac", "before", np.linspace(0, 1, N), 97.0, 95.0, 10.0)]
    header, section = unpack(
        pack(payload(whens=["before"], neighbours=near, layouts=[tsne, pca, all_], scores=scores, offers=[("tsne", 2)]))
    )
    assert section("index", "<i4").tolist() == [100, 101, 102, 103, 104]
    assert section("twin", "<i4").tolist() == [-1, -1, -1, -1, 1]
    assert section("neighbours", "<i4").reshape(1, N, header["near"]).tolist() == near.tolist()
    assert [(map["id"], map["own"], map["start"], map["stops"]) for map in header["layouts"]] == [
        ("umap-2", True, 0, [0, 1, 2]), ("tsne-3", False, 0, [0]), ("pca-2", False, 3 * N, [0, 2]),
        ("umap-3", False, 7 * N, [0, 1, 2]),
    ]  # fmt: skip
    maps = section("maps", "<i2")
    for layout, told in zip((tsne, pca, all_), header["layouts"][1:], strict=True):
        steps = maps[told["start"] :][: layout.coords.size].reshape(layout.coords.shape)
        np.testing.assert_allclose(
            np.array(told["low"]) + np.array(told["scale"]) * (steps + 32767.0), layout.coords, atol=1e-3
        )
    assert section("suspicion", "u1").tolist() == [0, 64, 128, 191, 255]  # 128 and more is suspected
    assert [offer["id"] for offer in header["offers"]] == ["tsne-2"]
    assert len(section("coords", "<i2")) == 3 * N * 2


def test_a_settled_map_brings_its_settings_and_how_far_to_trust_it() -> None:
    drawn, wanted = Settled(n_neighbors=40), Settled(3, metric="cosine", seed=None)
    layout = Layout("settled", 2, np.zeros((1, N, 2), np.float32), drawn, [0.875])
    pack_ = pack(
        payload(
            layouts=[layout], settled=[wanted], offers=[("pca", 3)], trust=[0.5, None, 0.75],
            wanted={"id": wanted.id, "moment": 3},
        )
    )  # fmt: skip
    header, _ = unpack(pack_)
    own, settled = header["layouts"]
    assert (own["trust"], own["facts"]) == ([0.5, None, 0.75], "")
    assert (settled["id"], settled["facts"], settled["trust"]) == (drawn.id, "n_neighbors=40", [0.875])
    assert [(offer["id"], offer["facts"]) for offer in header["offers"]] == [
        (wanted.id, "metric=cosine, seed=none"), ("pca-3", ""),
    ]  # fmt: skip
    assert header["wanted"] == {"id": wanted.id, "moment": 3}


def test_pictures_and_saliency_travel_along() -> None:
    saliency = Saliency(4, np.full((2, 3, 6, 3), 7, np.uint8), np.zeros((4, 3, 6), np.uint8), [{"when": "before"}] * 4)
    sprite = {"rows": 1, "width": 32, "height": 24}
    header, section = unpack(pack(payload(thumbs=b"RIFFpicture", sprite=sprite, saliency=saliency)))
    assert section("thumbs", "u1").tobytes() == b"RIFFpicture"
    assert (header["sprite"]["row"], header["sprite"]["width"]) == (50, 32)
    assert (header["saliency"]["id"], header["saliency"]["height"], header["saliency"]["width"]) == (4, 3, 6)
    assert len(section("salPixels", "u1")) == 2 * 3 * 6 * 3


def test_a_placed_picture_travels_with_its_places_answers_and_pixels() -> None:
    pixels = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    coords = np.array([[[0.5, 1.5], [2.5, 3.5]]], np.float32)
    near = np.array([[[1, 2], [3, 4]]], np.int32)
    own = Own("x", "sign.png", "settled:dims=2", coords, np.array([[1, 2]]), np.array([[99.6, 12.2]]), near, pixels)
    header, section = unpack(pack(payload(own=own)))
    assert section("ownPixels", "u1").tolist() == list(range(72))
    told = header["own"]
    assert (told["models"], told["variants"], told["dims"], told["height"], told["width"]) == (1, 2, 2, 3, 4)
    assert (told["coords"], told["answers"], told["near"]) == (coords.tolist(), [[1, 2]], near.tolist())
    assert told["confidence"] == [[100, 12]]
    assert unpack(pack(payload()))[0]["own"] is None


def test_a_file_travels_with_the_moment_it_was_asked_for() -> None:
    header, section = unpack(pack(payload(handout=Handout(1_790_000_000_000, "one.csv", b"a,b"))))
    assert header["handout"] == {"moment": 1_790_000_000_000, "name": "one.csv"}
    assert section("handoutBytes", "u1").tobytes() == b"a,b"
    assert unpack(pack(payload()))[0]["handout"] is None


def test_the_digest_changes_exactly_when_something_does() -> None:
    first = unpack(pack(payload()))[0]["digest"]
    assert unpack(pack(payload()))[0]["digest"] == first
    assert unpack(pack(payload(able=True)))[0]["digest"] != first
    assert unpack(pack(payload(twin=np.array([-1, -1, -1, -1, 2]))))[0]["digest"] != first


@pytest.mark.parametrize(
    ("fault", "more"),
    [
        ("lacks the words", {"texts": {}}),
        ("lacks the words", {"terms": {}}),
        ("one frame at least", {"frames": [], "steps": []}),
        ("do not fit", {"twin": np.zeros(4, int)}),
        ("do not fit", {"layouts": [Layout("pca", 2, np.zeros((1, 4, 2), np.float32))]}),
        ("neighbours", {"neighbours": np.zeros((2, N, 3), int), "whens": ["before"]}),
    ],
)
def test_what_does_not_fit_is_refused(fault: str, more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=fault):
        pack(payload(**more))


def test_the_scripts_make_one_module() -> None:
    text = explore.script()
    names = re.findall(r"^(?:async )?(?:const|let|class|function) (\w+)", text, re.MULTILINE)
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert not re.search(r"^import ", text, re.MULTILINE)
    assert len(re.findall(r"^export default", text, re.MULTILINE)) == 1


def test_every_word_that_the_scripts_ask_for_is_handed_over() -> None:
    scripts = "".join(path.read_text("utf-8") for path in explore.ASSETS.glob("*.js"))
    asked = set(re.findall(r"\btexts\.(\w+)", scripts))
    assert len(asked) > 20
    assert asked - set(TEXT_KEYS) == set()


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_each_term_of_the_room_is_explained_where_it_stands(lang: str) -> None:
    """In a sentence that names it; the methods, whose names are made into marks in the browser, by their keys."""
    named = {term for name in TEXT_KEYS for term in glossary.named(i18n.catalogue(lang)[f"explore.room.{name}"])}
    assert named | set(NAMES.values()) == set(TERMS)
    header, _ = unpack(pack(payload(terms={name: glossary.term(name, lang) for name in TERMS})))
    assert header["terms"]["recall"] == [i18n.catalogue(lang)[f"term.recall{end}"] for end in ("", ".text")]
