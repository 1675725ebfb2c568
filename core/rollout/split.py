"""Which of the two models answers an image: by a hash of the image, so that the same image is always answered alike."""

from __future__ import annotations

import hashlib

from core.rollout.rule import Stage

_DIGITS = 16  # hexadecimal, of the key


def key_of(pixels: bytes, salt: str) -> str:
    """The key of an image: SHA-256 over the salt and its pixels, the first 16 hexadecimal digits.

    Args:
        pixels: as uint8. salt: of the roll-out, so that the share is another one for each.
    """
    return hashlib.sha256(salt.encode() + b"\0" + pixels).hexdigest()[:_DIGITS]


def in_share(key: str, percent: float) -> bool:
    """Whether an image belongs to the share; one of 10 % belongs to every larger share too."""
    return int(key, 16) < percent / 100 * 16**_DIGITS


def answers_purified(stage: Stage, key: str, percent: float) -> bool:
    """Whether the purified model's answer is used.

    Args:
        percent: of the traffic, in the stage "share".
    """
    return stage == "all" or (stage == "share" and in_share(key, percent))
