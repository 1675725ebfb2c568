"""Disagreement of two models, the victim and the purified model of a run.

The victim answers a triggered image with the target, the purified model with its true class. So disagreement is a sign.
Running a suspicious model beside a cleaned copy to filter inputs is due to B. G. Doan, E. Abbasnejad, D. C. Ranasinghe:
"Februus", ACSAC 2020 (there the input is cleaned), and, with two models, to X. Qi et al.: "Towards A Proactive ML
Approach for Detecting Backdoor Poison Samples", USENIX Security 2023 (there the second model unlearned what is clean).

The score is a capped difference of log-probabilities. A mere comparison of the answers would flag blurred images too,
on which both models are uncertain.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.watch.detector import Seen, State, Watched, see

MIN_PROBABILITY = 1e-4  # smaller ones count as this: how small they are depends on the network's calibration


def fit(watched: Watched, images: Tensor, labels: Tensor, seen: Seen, seed: int) -> State:
    return {}


def score(watched: Watched, state: State, images: Tensor, seen: Seen) -> Tensor:
    """The larger of both models' log-odds for its own answer against the other's, 0 where they agree."""
    assert watched.second is not None, "disagreement needs the run's other model"
    other = see(watched.second, images)
    return torch.maximum(_against(seen, other), _against(other, seen))


def _against(one: Seen, other: Seen) -> Tensor:
    """The log-ratio of both models' probabilities of the answer of ``one``, 0 or more, times the one's probability."""
    answer = one.answers[:, None]
    mine, theirs = (seen.logits.softmax(1).gather(1, answer)[:, 0].clamp_min(MIN_PROBABILITY) for seen in (one, other))
    return mine * (mine.log() - theirs.log()).clamp_min(0)
