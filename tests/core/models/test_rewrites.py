"""Checkpoints as training frameworks write them: read, said so, and handed out in the form they came."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from core.errors import BadInput
from core.models.export import write_model
from core.models.identify import Candidate, candidates, named
from core.models.small import SmallNet
from core.models.weights import Weights, read_weights

State = dict[str, Tensor]


def net() -> SmallNet:
    torch.manual_seed(0)
    return SmallNet(4).eval()


def state() -> State:
    return {name: value.clone() for name, value in net().state_dict().items()}


def under(prefix: str) -> State:
    return {prefix + name: value for name, value in state().items()}


def inner(word: str) -> State:
    """The names of one block with a wrapper in the middle."""
    first = next(name.split(".")[0] for name in state())
    return {
        name.replace(f"{first}.", f"{first}.{word}.", 1) if name.startswith(f"{first}.") else name: value
        for name, value in state().items()
    }


SCALE = {"mean": torch.tensor([0.49, 0.48, 0.45]), "std": torch.tensor([0.2, 0.2, 0.2])}
KINDS: dict[str, Callable[[], State]] = {
    "loss beside": lambda: under("model.") | {"criterion.weight": torch.ones(4)},
    "metrics beside": lambda: under("model.") | {"val_acc.tp": torch.zeros(4, dtype=torch.long)},
    "a loss by its full name": lambda: under("model.") | {"focal_loss.alpha": torch.ones(4)},
    "metrics beside the plain network": lambda: state() | {"val_acc.tp": torch.zeros(4), "loss.weight": torch.ones(4)},
    "a layer compiled": lambda: inner("_orig_mod"),
    "DataParallel around a part": lambda: inner("module"),
    "FSDP and checkpointing": lambda: inner("_fsdp_wrapped_module._checkpoint_wrapped_module"),
    "an average in the same dictionary": lambda: under("ema_model.") | under("model."),
    "a flat average": lambda: under("model.") | {f"model_ema.{n.replace('.', '')}": v for n, v in state().items()},
    "a flat average without dots": lambda: (
        state() | {f"ema_{n.replace('.', '_')}": v.clone() for n, v in state().items()}
    ),
    "a scaling around": lambda: {f"0.{name}": value for name, value in SCALE.items()} | under("1."),
    "a scaling beside": lambda: dict(SCALE) | state(),
    "all at once": lambda: {
        **{f"net.{name}": value for name, value in inner("module").items()}, "train_loss.total": torch.ones(()),
        **{f"normalize.{name}": value.view(1, 3, 1, 1) for name, value in SCALE.items()},
    },
}  # fmt: skip


def read(content: State, tmp_path: Path) -> tuple[Weights, Candidate]:
    torch.save(content, tmp_path / "in.pth")
    weights = read_weights(tmp_path / "in.pth")
    best = candidates(weights, 32)[0]
    assert named(best.arch, weights, 4).weights.tensors.keys() == best.weights.tensors.keys()
    return weights, best


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_and_handed_out_in_the_form_it_came(kind: str, tmp_path: Path) -> None:
    content = KINDS[kind]()
    _, best = read(content, tmp_path)
    assert best.arch == "small"
    made = best.network()
    x = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(made(x), net()(x))
    purified = {name: value + 1 if value.is_floating_point() else value for name, value in made.state_dict().items()}
    write_model(tmp_path / "out", best.weights, purified, {})
    given = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    assert given.keys() == content.keys()
    changed = {name for name, value in content.items() if not torch.equal(given[name], value)}
    assert len(changed) == sum(value.is_floating_point() for value in made.state_dict().values())
    read_again = candidates(read_weights(tmp_path / "out" / "model.pt"), 32)[0].network().state_dict()
    assert all(torch.equal(read_again[name], value) for name, value in purified.items())


def codes(best: Candidate) -> list[str]:
    return [fact.code for fact in (*best.weights.found, *best.found)]


def test_what_was_put_aside_is_named(tmp_path: Path) -> None:
    _, best = read(KINDS["loss beside"](), tmp_path)
    (fact,) = [fact for fact in best.weights.found if fact.code == "aside"]
    assert "criterion.weight" in fact.message
    assert codes(best) == ["file", "inside", "aside"]


def test_an_average_is_left_and_that_it_is_not_purified_is_said(tmp_path: Path) -> None:
    content = KINDS["an average in the same dictionary"]()
    content |= {name: value + 1 for name, value in content.items() if name.startswith("ema_model.")}
    _, best = read(content, tmp_path)
    assert torch.equal(next(iter(best.weights.tensors.values())), next(iter(state().values())))
    assert "copy_aside" in codes(best)


def test_a_flat_average_is_told_as_a_copy(tmp_path: Path) -> None:
    """As MMCV's hook keeps it."""
    assert "copy_aside" in codes(read(KINDS["a flat average without dots"](), tmp_path)[1])


@pytest.mark.parametrize("times", [1.0, 255.0])
def test_the_scaling_is_read_from_the_file(times: float, tmp_path: Path) -> None:
    content = {f"0.{name}": times * value for name, value in SCALE.items()} | under("1.")
    _, best = read(content, tmp_path)
    assert best.weights.scaling == "0.490000,0.480000,0.450000/0.200000,0.200000,0.200000"
    assert "scaling_inside" in codes(best)


def test_a_network_that_is_there_under_two_names_is_changed_under_both(tmp_path: Path) -> None:
    """As MadryLab's robustness saves it: the attacker holds the network, and is loaded after it."""
    content = under("module.model.")
    content |= {name.replace("model.", "attacker.model."): value for name, value in content.items()}
    for place in ("normalizer", "attacker.normalize"):
        content |= {f"module.{place}.new_{name}": value.view(3, 1, 1) for name, value in SCALE.items()}
    content["module.attacker.step"] = torch.ones(())
    _, best = read({"epoch": 3, "model": content}, tmp_path)  # type: ignore[dict-item]
    assert best.weights.scaling == "0.490000,0.480000,0.450000/0.200000,0.200000,0.200000"
    told = {fact.code: fact.facts for fact in (*best.weights.found, *best.found)}
    assert told["again"] == {"count": len(state())}
    assert "attacker.model" not in str(told["aside"]["what"])
    new = {name: value + 1 if value.is_floating_point() else value for name, value in best.weights.tensors.items()}
    given = best.weights.named_as_in_file(new)
    assert given.keys() == content.keys()
    for name, value in new.items():
        assert torch.equal(given[f"module.model.{name}"], value)
        assert torch.equal(given[f"module.attacker.model.{name}"], value)
    assert torch.equal(given["module.attacker.step"], content["module.attacker.step"])


def test_a_second_copy_that_safetensors_stores_apart_is_changed_too(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    content = under("model.") | under("attacker.model.") | {"attacker.fc.bias": state()["fc.bias"]}
    save_file(content, tmp_path / "in.safetensors")
    best = candidates(read_weights(tmp_path / "in.safetensors"), 32)[0]
    new = {name: value + 1 for name, value in best.weights.tensors.items()}
    given = best.weights.named_as_in_file(new)
    assert given.keys() == content.keys()
    for name, value in new.items():
        assert torch.equal(given[f"model.{name}"], value)
        assert torch.equal(given[f"attacker.model.{name}"], value)
    assert torch.equal(given["attacker.fc.bias"], content["attacker.fc.bias"])
    assert "again" in codes(best)


def test_a_file_that_fits_as_it_stands_is_left_as_it_is(tmp_path: Path) -> None:
    weights, best = read(state(), tmp_path)
    assert best.weights is weights


# weights in two parts


def pruned(model: nn.Module) -> None:
    layer = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    prune.l1_unstructured(layer, "weight", amount=0.5)


def normed(model: nn.Module) -> None:
    layer = next(module for module in model.modules() if isinstance(module, nn.Linear))
    parametrizations.weight_norm(layer)
    assert parametrize.is_parametrized(layer)


def normed_as_before(model: nn.Module) -> None:
    for layer in [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]:
        nn.utils.weight_norm(layer)


def spectral(model: nn.Module) -> None:
    for layer in [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]:
        parametrizations.spectral_norm(layer)
    model.eval()


def spectral_as_before(model: nn.Module) -> None:
    for layer in [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]:
        nn.utils.spectral_norm(layer)
    model.train()(torch.rand(2, 3, 32, 32))
    model.eval()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("take_apart", [pruned, normed, normed_as_before, spectral, spectral_as_before])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_weights_in_parts_are_put_together_and_taken_apart_again(
    take_apart: Callable[[nn.Module], None], prefix: str, tmp_path: Path
) -> None:
    theirs = net()
    take_apart(theirs)
    beside = {"criterion.weight": torch.ones(4)} if prefix else {}
    content = {prefix + name: value for name, value in theirs.state_dict().items()}
    _, best = read(content | beside, tmp_path)
    x = torch.rand(3, 3, 32, 32)
    made = best.network()
    with torch.no_grad():
        torch.testing.assert_close(made(x), theirs(x))
        for parameter in made.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape) * (parameter != 0))
        write_model(tmp_path / "out", best.weights, made.state_dict(), {})
        given = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
        assert given.keys() == (content | beside).keys()
        loaded = {name.removeprefix(prefix): value for name, value in given.items() if name not in beside}
        theirs.load_state_dict(loaded)
        torch.testing.assert_close(theirs(x), made(x))
    masks = [name for name in content if name.endswith("_mask")]
    assert all(torch.equal(given[name], content[name]) for name in masks), "what was pruned stays pruned"


def test_what_only_looks_like_two_parts_is_none() -> None:
    odd = {"a_orig": torch.ones(2), "a_mask": torch.ones(3), "b_g": torch.ones(5, 1), "b_v": torch.ones(4, 3)}
    with pytest.raises(BadInput) as caught:
        candidates(Weights(odd), 32)
    assert caught.value.code == "no_architecture_fits"


# what is refused, by its cause


def test_one_output_is_told() -> None:
    with pytest.raises(BadInput) as caught:
        candidates(Weights({"conv.weight": torch.ones(8, 3, 3, 3), "odd.fc.weight": torch.ones(1, 8)}), 32)
    assert caught.value.code == "one_output"


def test_a_part_of_a_network_and_a_list_of_parts_are_told(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    part = tmp_path / "model-00001-of-00003.safetensors"
    save_file(state(), part)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {}}')
    for file, code in ((part, "weights_sharded"), (tmp_path / "model.safetensors.index.json", "weights_only_an_index")):
        with pytest.raises(BadInput) as caught:
            read_weights(file)
        assert caught.value.code == code
    for name in ("../part.safetensors", "/etc/passwd", "sub/part.safetensors", "nowhere.safetensors"):
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"fc.weight": name}}))
        with pytest.raises(BadInput) as caught:
            read_weights(tmp_path / "model.safetensors.index.json")
        assert caught.value.code == "weights_only_an_index"
    save_file(state(), tmp_path / "model-00001-of-00001.safetensors")
    assert read_weights(tmp_path / "model-00001-of-00001.safetensors").tensors


def parts(folder: Path) -> Path:
    """The network in two files, and the index that names them."""
    from safetensors.torch import save_file

    names = list(state())
    where = {name: f"model-0000{1 + (at > 5)}-of-00002.safetensors" for at, name in enumerate(names)}
    for file in sorted(set(where.values())):
        save_file({name: state()[name] for name in names if where[name] == file}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return index


def test_the_parts_of_a_network_are_read_by_the_index_beside_them(tmp_path: Path) -> None:
    weights = read_weights(parts(tmp_path))
    assert {name: value.shape for name, value in weights.tensors.items()} == {n: v.shape for n, v in state().items()}
    best = candidates(weights, 32)[0]
    assert best.arch == "small"
    write_model(tmp_path / "out", best.weights, best.network().state_dict(), {})
    given = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    assert all(torch.equal(given[name], value) for name, value in state().items())


@pytest.mark.parametrize(("change", "told"), [("lost", "none of its files holds"), ("twice", "two of its files hold")])
def test_parts_that_do_not_go_together_are_told(change: str, told: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    index = parts(tmp_path)
    second = tmp_path / "model-00002-of-00002.safetensors"
    save_file({"other": torch.ones(2)} if change == "lost" else state(), second)
    with pytest.raises(BadInput, match=told):
        read_weights(index)


def test_a_run_is_bound_to_every_part(tmp_path: Path) -> None:
    from core.runs.file_hashes import of_weights

    index = parts(tmp_path)
    before = of_weights(index)
    second = tmp_path / "model-00002-of-00002.safetensors"
    second.write_bytes(second.read_bytes()[:-1] + b"\x01")
    assert of_weights(index) != before
