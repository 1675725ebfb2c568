"""Sends alerts by apprise in a thread of its own: the watch never waits for a service, and no alert is sent twice.

Before an attempt the log of alerts gets "sending", after it "sent" or "unsent". If a watch is killed in between, it is
unknown whether the message was sent, and it is not sent again. The alert remains in the log.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.watch.log import Log

Notify = Callable[[str, str], bool]  # title, text; whether it left
WAITS = (5.0, 15.0, 60.0, 300.0)  # seconds before the next attempts; the last one repeats


def notifier(url: str) -> Notify:
    """Sends to what ``url`` names in apprise's notation, such as ``mailto://``, ``slack://`` or ``json://``.

    Raises:
        BadInput: ``apprise_missing``; ``bad_send_url`` (which does not repeat it: it may hold a password).
    """
    try:
        import apprise
    except ImportError:
        raise BadInput(
            "apprise_missing",
            "Sending alerts needs the package apprise, which is not installed; get it with: pip install --group alerts",
        ) from None
    service = apprise.Apprise()
    if not service.add(url):
        raise BadInput(
            "bad_send_url",
            "The address given with DISSOLVE_SEND or --send is none that apprise knows; write it as mailto://, "
            "slack://, msteams:// or json://HOST/PATH.",
        )
    return lambda title, text: bool(service.notify(body=text, title=title))


class Sender:
    """A thread that sends alerts in order, and retries those that could not be sent.

    Args:
        alerts: the log of alerts.
        wait: sleeps for so many seconds, or until the sender is closed; True then.
    """

    def __init__(
        self,
        notify: Notify,
        alerts: Path,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._notify, self._log, self._clock = notify, Log(alerts), clock
        self._known: set[str] = set()
        self._closing = threading.Event()
        self._wait = wait or self._closing.wait
        self._offered: queue.Queue[tuple[str, str, str] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="send-alerts", daemon=True)
        self._thread.start()

    def offer(self, name: str, title: str, text: str) -> None:
        """Takes an alert to be sent, if it was not offered before; returns at once.

        Args:
            name: the alert's id.
        """
        if name not in self._known:
            self._known.add(name)
            self._offered.put((name, title, text))

    def close(self, patience: float) -> None:
        """Waits for up to ``patience`` seconds for what was offered; what is unsent then is sent by the next watch."""
        self._offered.put(None)
        self._thread.join(patience)
        self._closing.set()

    def _work(self) -> None:
        while (offered := self._offered.get()) is not None:
            tries = 0
            while not self._closing.is_set() and not self._try(*offered):
                if self._wait(WAITS[min(tries, len(WAITS) - 1)]):
                    return
                tries += 1

    def _try(self, name: str, title: str, text: str) -> bool:
        try:
            self._note("sending", name)  # if this cannot be kept, nothing is sent: it might be sent again
        except OSError:
            return False
        why = "the service did not take it"
        try:
            left = self._notify(title, text)
        except Exception as error:  # a service's own code, over a network
            left, why = False, type(error).__name__
        try:
            self._note("sent" if left else "unsent", name, **({} if left else {"why": why}))
        except OSError:  # "sending" stands: it is not sent again
            return True
        return left

    def _note(self, kind: str, name: str, **more: Any) -> None:
        self._log.append([{"kind": kind, "id": name, "t": round(self._clock(), 3), **more}])
