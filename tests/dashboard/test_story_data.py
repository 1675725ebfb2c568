"""What the story takes from the engine: the network without its batch norms, the signs, the sticker, the figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core import victims
from core.attacks.badnets import BadNets
from core.data.signs_faces import CLASS_NAMES
from core.runs.record import Run
from dashboard import data, story_data
from dashboard.story_data import Network


@pytest.fixture(scope="module")
def card() -> victims.Card:
    return victims.card_of(victims.DEFAULT)


@pytest.fixture(scope="module")
def recording() -> Run:
    found = data.recording_of(victims.DEFAULT)
    assert found is not None
    return found


def run(network: Network, images: torch.Tensor) -> torch.Tensor:
    """The folded network by torch's own operations."""
    x = (images - torch.tensor(network.mean).view(1, -1, 1, 1)) / torch.tensor(network.std).view(1, -1, 1, 1)
    for layer in network.layers:
        weight, bias = torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)
        x = torch.nn.functional.conv2d(x, weight, bias, padding=1).relu()
        x = torch.nn.functional.max_pool2d(x, 2) if layer.pool else x
    return x.mean((2, 3)) @ torch.from_numpy(network.head).T + torch.from_numpy(network.head_bias)


def test_the_folded_network_is_the_victim(card: victims.Card) -> None:
    network = story_data.network(card.weights, card)
    assert network is not None
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(run(network, images), victims.load_victim(card.name)(images), atol=1e-4)


def test_the_recordings_weights_are_those_of_a_cured_model(card: victims.Card, recording: Run) -> None:
    """Shipped beside the recording, so that a presenter without time can show the sign after the cure.

    A recording that is made anew must bring its run's ``model.safetensors`` along.
    """
    path = story_data.purified_weights(recording)
    assert path is not None
    purified, victim = story_data.network(path, card), story_data.network(card.weights, card)
    assert purified is not None
    assert victim is not None
    from core.data import signs

    labels = signs.labels("test")[:240]
    images = signs.draw(torch.arange(240), "test").float() / 255
    trigger = victims.trigger_of(card, (32, 32))
    others = labels != card.target
    fooled = [(run(net, trigger(images)).argmax(1) == card.target)[others].float().mean() for net in (victim, purified)]
    right = (run(purified, images).argmax(1) == labels).float().mean()
    assert fooled[0] > 0.95
    assert fooled[1] < 0.05
    assert right > 0.9


@pytest.mark.parametrize("content", [None, b"", b"no weights at all"])
def test_weights_that_are_missing_or_damaged_are_no_network(
    card: victims.Card, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert story_data.network(path, card) is None


def test_weights_of_another_network_are_no_network(card: victims.Card, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"body.weight": np.zeros((2, 2), np.float32)}, tmp_path / "model.safetensors")
    assert story_data.network(tmp_path / "model.safetensors", card) is None


def test_only_a_run_that_is_done_has_purified_weights(recording: Run) -> None:
    assert story_data.purified_weights(None) is None
    assert story_data.purified_weights(recording) == recording.folder / "model.safetensors"


def test_every_sign_has_a_face() -> None:
    faces = story_data.faces()
    assert len(set(faces)) == len(CLASS_NAMES)
    assert all(face.startswith("data:image/png;base64,") for face in faces)


def test_the_sticker_lies_where_the_attack_puts_it(card: victims.Card) -> None:
    found = story_data.sticker(card)
    assert found is not None
    side, left, top = found
    mask, _ = BadNets((32, 32), **card.attack_settings).mask_and_pattern()
    where = mask[0].nonzero()
    assert where.amin(0).tolist() == [top, left]
    assert where.amax(0).tolist() == [top + side - 1, left + side - 1]


@pytest.mark.parametrize("changes", [{"attack": "blended"}, {"data": "digits"}, {"attack_settings": {"look": "grid"}}])
def test_a_trigger_that_is_no_sticker_has_no_place(card: victims.Card, changes: dict) -> None:
    assert story_data.sticker(replace(card, **changes)) is None


def test_the_cost_is_what_the_run_measured(recording: Run) -> None:
    cost = story_data.cost(recording, data.digest_of(recording))
    result = recording.data["result"]
    assert cost is not None
    assert cost.clean_images == result["clean_images"]
    assert cost.ba == (result["ba_before"], result["ba_after"])
    assert cost.asr == (result["asr_before"], result["asr_after"])
    assert cost.seconds == pytest.approx(sum(result["seconds"].values()), abs=1)
