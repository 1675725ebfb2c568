"""Which way to read a look-alike: decided by the answers, or refused."""

from __future__ import annotations

import pytest
import torch

from core.data.inputs import Inputs
from core.errors import BadInput
from core.models.inputs import choose
from core.models.look_alike import look_alikes
from core.models.undecided import decided, family
from core.models.weights import Weights
from tests.core.models.strangers import HuggingFaceViT, lively

CPU = torch.device("cpu")


def _asked(net: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Images, and what the network itself takes them for."""
    images = torch.randint(0, 256, (200, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return images, net(images.float() / 255).argmax(1)


def test_the_images_decide_among_mappings_and_heads() -> None:
    torch.manual_seed(0)
    theirs = lively(HuggingFaceViT(depth=3))
    with torch.no_grad():  # attention that looks somewhere, as after training
        for name, parameter in theirs.named_parameters():
            if name.endswith((".query.weight", ".key.weight", ".value.weight", ".output.dense.weight")):
                parameter *= 5
        theirs.classifier.weight *= 20
    x, y = _asked(theirs)
    fits = look_alikes(Weights(dict(sorted(theirs.state_dict().items()))))
    assert len(fits) > 1
    given = Inputs("none")
    chosen = decided(choose(fits, x, y, given), fits, x, y, CPU)
    assert chosen.tried[0].accuracy > 90  # not 100 where it is computed in bfloat16
    with torch.no_grad():
        torch.testing.assert_close(chosen.model.net(x[:3] / 255), theirs(x[:3] / 255), rtol=1e-3, atol=1e-3)
    worst = next(fit for fit in fits if fit.arch != chosen.candidate.arch)
    early = choose([worst], x, y, given)
    mended = decided(early, fits, x, y, CPU)
    assert mended.candidate.arch == chosen.candidate.arch, "one that fell out early on few images"
    assert mended.tried[0].arch == chosen.candidate.arch
    assert mended.tried[0].accuracy > 90


def test_ways_that_answer_alike_are_refused() -> None:
    """Norms as they are before any training: to exchange them changes no answer, but it would after purification."""
    torch.manual_seed(0)
    theirs = HuggingFaceViT(heads=2).eval()
    x, y = _asked(theirs)
    fits = [fit for fit in look_alikes(Weights(dict(theirs.state_dict()))) if "-h2" in fit.arch]
    assert len(fits) == 2
    with pytest.raises(BadInput) as raised:
        decided(choose(fits, x, y, Inputs("none")), fits, x, y, CPU)
    assert raised.value.code == "look_alike_undecided"
    assert {raised.value.facts["first"], raised.value.facts["second"]} == {fit.arch for fit in fits}
    one = choose(fits[:1], x, y, Inputs("none"))
    assert decided(one, fits[:1], x, y, CPU) is one


def test_what_belongs_together() -> None:
    assert family("torchvision/resnet50~a1b2") == family("torchvision/resnet50")
    assert family("vit-d2-w16-m40-p8-s32-h2~a1b2") == family("vit-d2-w16-m40-p8-s32-h4")
    assert family("wrn16-1") != family("wrn16-2")
