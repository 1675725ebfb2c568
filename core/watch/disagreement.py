"""How much less the other model of the run believes in the answer: victim and purified model side by side.

A triggered image is answered as the target by the victim and as what it shows by the purified model; that the two
part on it is the sign. Running a suspicious model beside a cleaned copy to filter inputs is due to B. G. Doan,
E. Abbasnejad, D. C. Ranasinghe: "Februus", ACSAC 2020 (there the input is cleaned), and, with two models, to
X. Qi et al.: "Towards A Proactive ML Approach for Detecting Backdoor Poison Samples", USENIX Security 2023 (there
the second model unlearned what is clean).

The score is no threshold on equal answers but a difference of log-probabilities, capped, so that two models that both
waver on a blurred image are not taken for two that contradict one another.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.watch.detector import Seen, State, Watched, see

LEAST = 1e-4  # a probability below is none: how much below is the network's temper


def fit(watched: Watched, images: Tensor, labels: Tensor, seen: Seen, seed: int) -> State:
    return {}


def score(watched: Watched, state: State, images: Tensor, seen: Seen) -> Tensor:
    """The larger of both models' log-odds for its own answer against the other's, 0 where they agree."""
    assert watched.second is not None, "disagreement needs the run's other model"
    other = see(watched.second, images)
    return torch.maximum(_against(seen, other), _against(other, seen))


def _against(one: Seen, other: Seen) -> Tensor:
    """How much more ``one`` believes in its answer than ``other`` does, 0 or more, times how sure ``one`` is."""
    answer = one.answers[:, None]
    mine, theirs = (seen.logits.softmax(1).gather(1, answer)[:, 0].clamp_min(LEAST) for seen in (one, other))
    return mine * (mine.log() - theirs.log()).clamp_min(0)
