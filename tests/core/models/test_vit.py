"""Vision transformers of any size, held against timm's and torchvision's own."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer as Theirs
from torchvision.models.vision_transformer import VisionTransformer as Torchvisions

from core.errors import BadInput
from core.models import build
from core.models.identify import candidates, named
from core.models.vit import build_vit, size_of
from core.models.weights import Weights
from tests.core.models.strangers import lively

ARCH = "vit-d2-w32-m48-p8-s32-h2"


@pytest.mark.parametrize(("bias", "pooled", "ending"), [(True, "token", ""), (False, "avg", "-nobias-mean")])
def test_it_answers_as_timms_does(bias: bool, pooled: str, ending: str) -> None:
    torch.manual_seed(0)
    theirs = lively(
        Theirs(
            img_size=32, patch_size=8, num_classes=5, embed_dim=32, depth=2, num_heads=2, mlp_ratio=1.5, qkv_bias=bias,
            global_pool=pooled, class_token=pooled == "token", fc_norm=False,
        )
    )  # fmt: skip
    ours = build(ARCH + ending, 5).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.rand(3, 3, 32, 32)
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)
    fits = candidates(Weights(dict(theirs.state_dict())), 32)
    assert [fit.arch for fit in fits if "-h2" in fit.arch] == [ARCH + ending]
    assert {fit.size for fit in fits} == {(32, 32)}
    assert all(fit.found == () for fit in fits)


def test_torchvisions_at_another_size_is_recognised_under_its_own_names() -> None:
    torch.manual_seed(0)
    theirs = lively(
        Torchvisions(image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=48, num_classes=5)
    )
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        wanted = theirs(images)
        fits = [fit for fit in candidates(Weights(dict(theirs.state_dict())), 32) if fit.arch.startswith(ARCH)]
        same = [fit for fit in fits if torch.allclose(fit.network()(images), wanted, atol=1e-4)]
    assert len(same) == 1
    names = same[0].weights.names_in_network()
    assert names["encoder.layers.encoder_layer_1.self_attention.in_proj_weight"] == "blocks.1.attn.qkv.weight"
    assert names["encoder.pos_embedding"] == "pos_embed"


def test_usual_widths_have_heads_of_64() -> None:
    with torch.device("meta"):
        small = timm.create_model("deit_small_patch16_224", img_size=32, patch_size=4, depth=1, num_classes=10)
    (fit,) = candidates(Weights({name: torch.empty(value.shape) for name, value in small.state_dict().items()}), 32)
    assert (fit.arch, fit.classes) == ("vit-d1-w384-m1536-p4-s32-h6", 10)


@pytest.mark.parametrize(
    "name", ["vit", "vit-d1-w32-m48-p8-s32-h3", "vit-d1-w32-m48-p7-s32-h2", "vit-d0-w32-m1-p1-s1-h1"]
)
def test_names_of_none(name: str) -> None:
    assert build_vit(name, 5) is None


def test_it_takes_images_of_one_size() -> None:
    assert size_of(f"{ARCH}~abcd") == (32, 32)
    assert size_of("wrn16-1") is None


def test_a_size_that_no_memory_holds_is_refused_before_it_is_built() -> None:
    """Its first layer alone would take 4 GB, and there are a hundred and ninety-eight such."""
    with pytest.raises(BadInput) as fault:
        named("vit-d99-w9999-m99999-p16-s224-h1", Weights({"head.weight": torch.zeros(3, 4)}), 10)
    assert fault.value.code == "weights_do_not_fit"
