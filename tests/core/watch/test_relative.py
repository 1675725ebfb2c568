from __future__ import annotations

import torch
from torch import Tensor

from core.watch import mahalanobis, relative
from core.watch.detector import Seen, Watched, see


def test_the_middle_of_all_images_is_as_far_as_from_its_class(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    state = relative.fit(watched, x, y, see(watched.model, x), 0)
    seen = see(watched.model, x)
    middle = Seen(seen.features.mean(0, keepdim=True), seen.logits[:1])
    plain = mahalanobis.score(watched, state, x[:1], middle)
    torch.testing.assert_close(relative.score(watched, state, x[:1], middle), plain, rtol=1e-3, atol=1e-2)


def test_what_is_far_from_everything_is_suspected_less(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    state = relative.fit(watched, x, y, see(watched.model, x), 0)
    seen = see(watched.model, x)
    far = Seen(seen.features * 5, seen.logits)
    plain, less = mahalanobis.score(watched, state, x, far), relative.score(watched, state, x, far)
    assert (less < plain).all()
