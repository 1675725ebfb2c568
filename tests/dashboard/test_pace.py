"""Few viewers look often, many less often, and those that have gone do not count."""

from __future__ import annotations

from dashboard.pace import GONE, LONGEST, POLL_SECONDS, POLLS, Viewers


def looking(count: int, now: float = 0.0) -> Viewers:
    viewers = Viewers()
    for number in range(count):
        viewers.note("run", str(number), now)
    return viewers


def test_many_viewers_together_ask_no_more_than_so_often() -> None:
    assert Viewers().every("run") == looking(1).every("run") == POLL_SECONDS
    assert 14 / looking(14).every("run") <= POLLS * 1.001
    assert looking(14).every("run") > POLL_SECONDS
    assert looking(500).every("run") == LONGEST < 2
    assert looking(500).every("another") == POLL_SECONDS


def test_a_viewer_counts_once_and_not_after_it_has_gone() -> None:
    viewers = looking(16)
    often = viewers.every("run")
    viewers.note("run", "3", 1.0)
    assert viewers.every("run") == often
    viewers.note("run", "3", GONE + 0.5)
    assert viewers.every("run") == POLL_SECONDS
