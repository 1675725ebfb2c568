"""How often a page asks for a run that goes on: less often when many look on, for they use the run's cores."""

from __future__ import annotations

import time

POLL_SECONDS = 0.8  # between two looks of a page
LONGEST = 1.4  # however many look on: each picture is to be seen within 2 s
POLLS = 12.0  # a second and run, of up to 16 viewers together; one takes some 10 ms of a core
GONE = 5.0  # seconds after its last poll that a viewer no longer counts


class Viewers:
    """Who looks at which run. Viewers and runs go by their ids."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, float]] = {}

    def note(self, run: str, viewer: str, now: float | None = None) -> None:
        """A viewer looks at a run. ``now``: of the monotonic clock, s; by default the time it is."""
        now = time.monotonic() if now is None else now
        known = {**self._seen.get(run, {}), viewer: now}
        self._seen[run] = {one: last for one, last in known.items() if now - last <= GONE}

    def every(self, run: str) -> float:
        """Seconds between two looks of a page at this run; asked when the page is drawn, some ten times a run."""
        return min(LONGEST, max(POLL_SECONDS, len(self._seen.get(run, ())) / POLLS))


VIEWERS = Viewers()
