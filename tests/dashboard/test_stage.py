"""The live view's payload, script and data, without a browser."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from core.runs.arrays import FrameArrays
from dashboard.components import plotly_js
from dashboard.components.stage import ASSETS, SCRIPTS, script
from dashboard.components.stage_payload import NOWHERE, TEXT_KEYS, StagePayload, pack, quantise
from dashboard.palette import ATTACK, CLEAN, NEUTRAL
from tests.dashboard.javascript import decoded


def frame(seed: int, points: int = 6, dims: int = 2, reach: float = 5.0) -> FrameArrays:
    random = np.random.default_rng(seed)
    return FrameArrays(
        random.uniform(-reach, reach, (points, dims)).astype(np.float32),
        random.integers(0, 3, points).astype(np.int16),
        random.integers(0, 101, points).astype(np.uint8),
    )


def payload(count: int = 2, **changes) -> StagePayload:
    made = StagePayload(
        run="one",
        labels=np.array([0, 1, 2, 0, 1, 2], np.int16),
        triggered=np.array([False] * 3 + [True] * 3),
        class_names=("stop", "一時停止", "30"),
        texts={key: key for key in TEXT_KEYS},
        things="stickered signs",
        frames=[frame(k) for k in range(count)],
        metrics=[{"step": k, "ba": 97.0, "asr": 99.0 - k, "dissolution": float("nan")} for k in range(count)],
    )
    return replace(made, **changes)


def places(found: dict) -> np.ndarray:
    return np.array([frame["coords"] for frame in found["frames"]])


def test_a_payload_comes_back_as_it_went():
    sent = payload()
    found = decoded(pack(sent))
    assert np.array_equal(found["labels"], sent.labels)
    assert np.array_equal(found["triggered"], sent.triggered)
    assert np.array_equal([frame["answers"] for frame in found["frames"]], [f.answers for f in sent.frames])
    assert np.array_equal([frame["confidence"] for frame in found["frames"]], [f.confidence for f in sent.frames])
    assert np.abs(places(found) - [f.coords for f in sent.frames]).max() < 1e-3
    assert found["classes"][1] == "一時停止"
    assert found["metrics"][1] == {"step": 1, "ba": 97, "asr": 98, "dissolution": None, "trustworthiness": None}


def test_points_stay_where_they_were_when_the_box_grows():
    frames = [frame(0), frame(1), frame(2, reach=50.0)]
    small, large = (places(decoded(pack(replace(payload(count), frames=frames[:count])))) for count in (2, 3))
    assert np.abs(small - large[:2]).max() < 100 / 65534


def test_the_digest_changes_with_anything_and_with_nothing_else():
    digest = lambda made: decoded(pack(made))["digest"]  # noqa: E731
    first = digest(payload())
    assert first == digest(payload())
    moved = [frame(0), frame(5)]
    for other in (
        payload(3),
        payload(live=True),
        payload(turn=1),
        payload(box=([0, 0], [9, 9])),
        payload(whole=({"ba": 97.0, "asr": 99.0}, None)),
        payload(things="signs"),
        replace(payload(), frames=moved),
        payload(texts={key: key + "!" for key in TEXT_KEYS}),
    ):
        assert digest(other) != first


def test_a_frame_costs_a_few_bytes_a_point():
    random = np.random.default_rng(0)
    labels, triggered = random.integers(0, 3, 2000), random.random(2000) < 0.3
    many = [frame(k, 2000) for k in range(20)]
    sizes = [
        len(pack(replace(payload(count), labels=labels, triggered=triggered, frames=many[:count])))
        for count in (10, 20)
    ]
    assert (sizes[1] - sizes[0]) / 10 < 13_000


def test_many_classes_need_wider_answers():
    names = [str(k) for k in range(300)]
    late = frame(0)._replace(answers=np.full(6, 299, np.int16))
    found = decoded(pack(replace(payload(1), class_names=names, frames=[late])))
    assert found["wide"]
    assert set(found["frames"][0]["answers"]) == {299}


def test_a_point_without_a_place_is_marked_and_spoils_no_other():
    coords = np.array([[[0.0, 0.0], [np.nan, 1.0], [2.0, 4.0]]])
    steps, low, scale = quantise(list(coords), 2)
    assert (steps[0, 1] == NOWHERE).all()
    assert np.allclose(low + scale * (steps[0, 2] + 32767.0), [2, 4])


def test_points_on_one_spot_are_no_trouble():
    steps, low, scale = quantise([np.full((4, 2), 3.0)], 2)
    assert np.allclose(low + scale * (steps[0] + 32767.0), 3.0)


def test_nothing_yet():
    found = decoded(pack(payload(0, waiting_title="Measuring")))
    assert found["frames"] == []
    assert found["waiting"][0] == "Measuring"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"texts": {key: key for key in TEXT_KEYS if key != "play"}}, "lacks the words: play"),
        ({"metrics": []}, "2 frames, but 0 rows"),
        ({"triggered": np.zeros(5, bool)}, "6 labels, but 5"),
        ({"dims": 3}, "frame 0"),
        ({"dims": 4}, "dims is 4"),
        ({"class_names": ("stop",)}, "label 2, but 1 class names"),
        ({"frames": [frame(0), frame(1, points=5)]}, "frame 1"),
    ],
)
def test_what_does_not_fit_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        pack(payload(**changes))


# the script


def test_the_script_is_one_module_with_every_file_in_it():
    text = script()
    assert not re.search(r"^import ", text, re.MULTILINE)
    assert re.findall(r"^export .*", text, re.MULTILINE) == ["export default function (component) {"]
    assert {path.stem for path in ASSETS.glob("*.js")} == set(SCRIPTS)


def test_names_at_the_top_of_the_files_are_unique():
    names = re.findall(r"^(?:async )?(?:const|let|class|function) (\w+)", script(), re.MULTILINE)
    assert len(names) > 30
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_files_use_only_what_came_before_them():
    for at, name in enumerate(SCRIPTS):
        used = re.findall(r'from "\./(\w+)\.js"', (ASSETS / f"{name}.js").read_text(encoding="utf-8"))
        assert set(used) <= set(SCRIPTS[:at]), name


def test_the_script_asks_for_no_word_that_is_not_sent_and_leaves_none_unused():
    text = script()
    used = set(re.findall(r"\b(?:texts|t)\.([a-z_]+)\b", text))
    named = set(re.findall(r'"([a-z_]+)"', text)) | {"asr", "ba", "dissolved"}
    assert used <= set(TEXT_KEYS)
    assert set(TEXT_KEYS) <= used | named | {"step_axis"}  # the last goes into the figure of the curves


def test_reserved_colours_are_those_of_the_palette():
    css = (ASSETS / "stage.css").read_text(encoding="utf-8")
    for name, colour in (("attack", ATTACK), ("clean", CLEAN), ("neutral", NEUTRAL)):
        assert f"--dsv-{name}: {colour};" in css


def test_nothing_is_loaded_from_elsewhere():
    for path in ASSETS.iterdir():
        assert not re.search(r"https?://|//cdn", path.read_text(encoding="utf-8")), path.name


# plotly.js


def test_plotly_js_is_put_in_place_once_and_renewed_when_it_changes(tmp_path):
    source, folder = tmp_path / "packaged.js", tmp_path / "static"
    source.write_text("/**\n* plotly.js v9.8.7\n*/ code")
    assert plotly_js.ensure(folder, source) == "9.8.7"
    target = folder / plotly_js.NAME
    assert target.read_text() == source.read_text()
    inode = target.stat().st_ino
    plotly_js.ensure(folder, source)
    assert target.stat().st_ino == inode
    for broken in ("/**\n* plotly.js v1.0.0\n*/ code", "/**\n* plotly.js v9.8.7\n*/ co"):
        target.write_text(broken)
        plotly_js.ensure(folder, source)
        assert target.read_text() == source.read_text()
    assert [path.name for path in folder.iterdir()] == [plotly_js.NAME]


def test_the_installed_plotly_has_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", plotly_js.version(plotly_js.packaged()))
