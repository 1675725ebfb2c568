"""Triggers from other starts: of the target, in the forms that were given, working, and unlike one another."""

from __future__ import annotations

import pytest
import torch

from core.inversion.again import STEPS, again
from core.inversion.trigger import Reconstructed
from tests.core.tiny import Tiny


def given(tiny: Tiny, form: str) -> Reconstructed:
    return Reconstructed(form, torch.zeros(3, 16, 16), torch.zeros(1, 16, 16), tiny.target, push=1.5)


def made(tiny: Tiny, *forms: str, times: int = 2, seed: int = 0) -> list[Reconstructed]:
    *before, (done, total, found) = again(tiny.model, tiny.x, [given(tiny, form) for form in forms], times, seed)
    assert [done for done, _, _ in before] == list(range(STEPS * len(forms)))
    assert all(none is None for _, _, none in before)
    assert done == total == STEPS * len(forms)
    assert found is not None
    return found


@pytest.mark.parametrize("form", ["mask", "pixel", "smooth"])
def test_each_leads_to_the_target_in_its_form_and_none_is_another(tiny: Tiny, form: str) -> None:
    found = made(tiny, form)
    assert len(found) == 2
    for trigger in found:
        assert (trigger.form, trigger.target, trigger.push, trigger.again) == (form, tiny.target, 1.5, True)
        assert (trigger.mask is None) == (form != "mask")
        assert tiny.figures(tiny.model, trigger)[1] > 60  # type: ignore[arg-type]
    x = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert (found[0](x) - found[1](x)).abs().amax() > 0.1


def test_several_forms_in_one_go_and_the_same_seed_gives_the_same(tiny: Tiny) -> None:
    first, second = made(tiny, "mask", "smooth"), made(tiny, "mask", "smooth")
    assert [trigger.form for trigger in first] == ["mask", "mask", "smooth", "smooth"]
    assert all(torch.equal(a.pattern, b.pattern) for a, b in zip(first, second, strict=True))
    other = made(tiny, "mask", seed=1)
    assert not torch.equal(first[0].pattern, other[0].pattern)


def test_what_does_not_work_is_left_out_and_the_model_stays_as_it_was(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.inversion.again.WORKS", 1.1)
    weights = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    assert made(tiny, "mask") == []
    assert all(torch.equal(value, weights[name]) for name, value in tiny.model.state_dict().items())
    assert all(parameter.requires_grad for parameter in tiny.model.parameters())
