from __future__ import annotations

import torch

from core.models import build
from core.models.fitting import fitted, plain_head, shortened
from core.models.weights import Weights


def test_fitting_is_exact() -> None:
    weights = Weights(dict(build("small", 7).state_dict()))
    assert fitted(weights, build("small", 7)) is weights
    assert fitted(weights, build("small", 8)) is None
    assert fitted(weights, build("wrn16-1", 7)) is None


def test_a_first_word_is_taken_off_where_all_names_share_it() -> None:
    tensors = build("small", 7).state_dict()
    short = shortened(Weights({f"module.{name}": value for name, value in tensors.items()}))
    assert short is not None
    assert (list(short.tensors), short.prefix) == (list(tensors), "module.")
    assert shortened(Weights({"fc.weight": torch.ones(2, 2)})) is None
    assert shortened(Weights(dict(tensors))) is None


def test_a_head_of_several_layers_is_not_taken_for_one() -> None:
    tensors = {"fc.0.weight": torch.ones(4, 8), "fc.0.bias": torch.ones(4), "fc.2.weight": torch.ones(3, 4)}
    assert plain_head(Weights(tensors)) is None
    assert plain_head(Weights({"fc.weight": torch.ones(3, 4)})) is None
    assert plain_head(Weights({"fc.0.weight": torch.ones(4), "fc.0.bias": torch.ones(4)})) is None
