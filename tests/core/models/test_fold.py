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


def test_convolutions_of_one_pixel_take_the_quick_kernels_and_the_answers_stay():
    """Torch takes its slow ones for few images on one thread, as its profiler shows."""
    model = trained_like("cifar-mobilenetv2")
    images, threads = torch.rand(2, 3, 32, 32), torch.get_num_threads()
    used = []
    torch.set_num_threads(1)
    try:
        for network in (model, folded(model)):
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
                answers = network(images)
            used.append({event.key for event in profile.key_averages()})
            torch.testing.assert_close(answers, model(images), rtol=1e-4, atol=1e-4)
    finally:
        torch.set_num_threads(threads)
    slow, quick = (any("slow_conv2d" in name for name in names) for names in used)
    assert not quick
    assert slow, "torch chooses otherwise now: core.models.fold need not dilate them any more"


def test_a_network_with_nothing_to_fold_is_returned_as_it_is():
    model = trained_like("wrn16-1")
    assert folded(model) is model
