"""The story's scene without a browser: the payload, the script, and the network in JavaScript against torch."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core import victims
from dashboard import story_data
from dashboard.components.story import ASSETS, SCRIPTS, TEXT_KEYS, Scene, pack, script
from dashboard.story_data import Layer, Network
from tests.dashboard.javascript import run

# every arithmetic of the page in a Node without a browser: Playwright brings one
HARNESS = """
import fs from "node:fs";
import {{ readNet, logits, answerOf, evidence, trunk }} from {net!r};
const bytes = fs.readFileSync({payload!r});
const size = bytes.readUInt32LE(4);
const header = JSON.parse(bytes.subarray(8, 8 + size));
const floats = new Float32Array(new Uint8Array(bytes.subarray(8 + size)).buffer);
const raw = fs.readFileSync({images!r});
const images = new Float32Array(new Uint8Array(raw).buffer);
const out = header.networks.map((spec) => {{
  const net = readNet(spec, floats);
  return Array.from({{ length: images.length / 3072 }}, (_, k) => {{
    const values = logits(net, images.subarray(k * 3072, (k + 1) * 3072), 32);
    const planes = trunk(net, images.subarray(k * 3072, (k + 1) * 3072), 32);
    const found = answerOf(values);
    const map = evidence(net, planes, found.answer);
    const bias = net.headBias[found.answer] - net.headBias.reduce((sum, one) => sum + one, 0) / net.classes;
    return {{ values, ...found, side: planes.side, lead: bias + map.reduce((sum, one) => sum + one, 0) / map.length }};
  }});
}});
console.log(JSON.stringify(out));
"""


def tiny(classes: int = 3) -> Network:
    random = np.random.default_rng(0)
    layer = Layer(random.normal(size=(2, 3, 3, 3)).astype(np.float32), np.zeros(2, np.float32), True)
    head = random.normal(size=(classes, 2)).astype(np.float32)
    return Network((layer,), head, np.zeros(classes, np.float32), (0, 0, 0), (1, 1, 1))


def shown(**changes) -> Scene:
    made = Scene(
        mode="read",
        networks=[tiny()],
        class_names=("stop", "一時停止", "30"),
        faces=("a", "b", "c"),
        first=1,
        target=0,
        sticker=(6, 23, 23),
        texts={key: key for key in TEXT_KEYS},
        confidence=("Confidence", "How sure."),
    )
    return replace(made, **changes)


def unpack(data: bytes) -> tuple[dict, np.ndarray]:
    assert data[:4] == b"DSY1"
    (size,) = struct.unpack("<I", data[4:8])
    return json.loads(data[8 : 8 + size]), np.frombuffer(data[8 + size :], "<f4")


def test_a_scene_comes_back_as_it_went() -> None:
    first, second = tiny(), tiny()
    header, floats = unpack(pack(shown(mode="cured", networks=[first, second])))
    per_network = 2 * 27 + 2 + 6 + 3
    assert [network["start"] for network in header["networks"]] == [0, per_network]
    assert header["networks"][0]["layers"] == [[2, 3, True]]
    assert np.array_equal(floats[:54], first.layers[0].weight.ravel())
    assert np.array_equal(floats[per_network + 56 : per_network + 62], second.head.ravel())
    assert header["classes"][1] == "一時停止"


def test_the_digest_changes_with_anything_and_with_nothing_else() -> None:
    digest = lambda made: unpack(pack(made))[0]["digest"]  # noqa: E731
    assert digest(shown()) == digest(shown())
    changed = [shown(mode="stick"), shown(target=1), shown(texts={key: key + "!" for key in TEXT_KEYS})]
    assert digest(shown()) not in [digest(made) for made in changed]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mode": "stick", "networks": []}, "with 0 networks"),
        ({"mode": "cured"}, "with 1 networks"),
        ({"mode": "nonsense"}, "mode 'nonsense'"),
        ({"texts": {}}, "lacks the words: choose"),
        ({"networks": [tiny(4)]}, r"differ in number: \[3, 4\]"),
        ({"faces": ("a",)}, "differ in number"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        pack(shown(**changes))


def test_the_network_in_the_browser_agrees_with_torch(tmp_path: Path) -> None:
    """Victim and purified model, on noise, on drawn signs and with the sticker, to 1e-4 in every logit."""
    card = victims.card_of(victims.DEFAULT)
    purified = victims.paths.RECORDINGS / card.name / "model.safetensors"
    networks = [story_data.network(path, card) for path in (card.weights, purified)]
    from core.data import signs
    from core.models.weights import classifier, read_weights

    drawn = signs.draw(torch.arange(12), "test").float() / 255
    noise = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images = torch.cat([drawn, victims.trigger_of(card, (32, 32))(drawn), noise])
    names = [str(k) for k in range(card.classes)]
    made = shown(mode="cured", networks=networks, class_names=names, faces=names)
    (tmp_path / "payload").write_bytes(pack(made))
    (tmp_path / "images").write_bytes(images.numpy().astype("<f4").tobytes())
    net, payload, given = str(ASSETS / "net.js"), str(tmp_path / "payload"), str(tmp_path / "images")
    found = run(HARNESS.format(net=net, payload=payload, images=given))
    for told, path in zip(found, (card.weights, purified), strict=True):
        model = classifier(read_weights(path), card.arch, card.classes, card.mean, card.std)
        with torch.no_grad():
            wanted = model(images)
        values = torch.tensor([one["values"] for one in told])
        assert (values - wanted).abs().max() < 1e-4
        sure, answers = wanted.softmax(1).max(1)
        assert [one["answer"] for one in told] == answers.tolist()
        assert torch.allclose(torch.tensor([one["confidence"] for one in told]), sure, atol=1e-4)
        assert {one["side"] for one in told} == {8}
        leads = wanted.max(1).values - wanted.mean(1)  # the evidence of all places is the whole of it
        assert torch.allclose(torch.tensor([one["lead"] for one in told]), leads, atol=1e-4)


def test_the_script_is_one_module_with_every_file_in_it() -> None:
    text = script()
    assert not re.search(r"^import ", text, re.MULTILINE)
    assert re.findall(r"^export .*", text, re.MULTILINE) == ["export default function ({ parentElement, data }) {"]
    assert {path.stem for path in ASSETS.glob("*.js")} == {*SCRIPTS, "bar"}


def test_names_at_the_top_of_the_files_are_unique() -> None:
    names = re.findall(r"^(?:async )?(?:const|let|class|function) (\w+)", script(), re.MULTILINE)
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_files_use_only_what_came_before_them() -> None:
    for at, name in enumerate(SCRIPTS):
        used = re.findall(r'from "\./(\w+)\.js"', (ASSETS / f"{name}.js").read_text(encoding="utf-8"))
        assert set(used) <= set(SCRIPTS[:at]), name


def test_the_script_asks_for_no_word_that_is_not_sent_and_leaves_none_unused() -> None:
    text = script()
    used = set(re.findall(r"\btexts\.([a-z_]+)\b", text))
    assert used <= set(TEXT_KEYS)
    assert set(TEXT_KEYS) <= used | {"right", "wrong", "fooled"}  # the three verdicts are looked up by their tone


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in ASSETS.iterdir():
        assert not re.search(r"https?://|//cdn|@import", path.read_text(encoding="utf-8")), path.name
