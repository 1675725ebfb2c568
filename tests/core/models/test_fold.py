"""Folding batch norm changes the layers and nothing that anybody sees."""

import torch

from core.models import build
from core.models.classifier import Classifier
from core.models.fold import folded


def trained_like(arch: str) -> Classifier:
    """Weights and running statistics away from their first values, as training leaves them."""
    torch.manual_seed(0)
    model = Classifier(build(arch, 5))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def test_features_and_answers_stay_and_the_norms_are_gone():
    model = trained_like("small")
    images = torch.rand(6, 3, 16, 16)
    before = {key: value.clone() for key, value in model.net.state_dict().items()}
    quick = folded(model)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in quick.modules())
    for new, old in zip(quick.features_and_logits(images), model.features_and_logits(images), strict=True):
        torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-4)
    for key, value in model.net.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_network_without_such_pairs_is_returned_as_it_is():
    model = trained_like("wrn16-1")
    assert folded(model) is model
