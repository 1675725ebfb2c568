from __future__ import annotations

import hashlib

from core.rollout.split import answers_purified, in_share, key_of

KEYS = [key_of(bytes([number % 256, number // 256]), "one") for number in range(2000)]


def test_the_key_is_a_hash_of_salt_and_pixels() -> None:
    assert key_of(b"\x01\x02", "run") == hashlib.sha256(b"run\0\x01\x02").hexdigest()[:16]
    assert key_of(b"\x01\x02", "run") != key_of(b"\x01\x02", "other")


def test_a_share_takes_that_many_and_a_larger_one_takes_them_too() -> None:
    """Binomial: 10 % of 2,000 within four standard deviations, 54."""
    small = {key for key in KEYS if in_share(key, 10)}
    large = {key for key in KEYS if in_share(key, 40)}
    assert abs(len(small) - 200) < 54
    assert small < large
    assert not any(in_share(key, 0) for key in KEYS)
    assert all(in_share(key, 100) for key in [*KEYS, "f" * 16])


def test_who_answers_follows_from_stage_and_share() -> None:
    inside = next(key for key in KEYS if in_share(key, 10))
    outside = next(key for key in KEYS if not in_share(key, 10))
    asked = [(stage, key) for stage in ("off", "shadow", "share", "all") for key in (inside, outside)]
    found = [answers_purified(stage, key, 10.0) for stage, key in asked]  # type: ignore[arg-type]
    assert found == [False, False, False, False, True, False, True, True]
