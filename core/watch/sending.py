"""Sends alerts by apprise, from a process of its own: the watch never waits for a service, and a watch that is killed
does not take with it what is on its way.

``Sender`` is the watch's side. The process, ``python -m core.watch.sending FOLDER RUN IMAGES LANGUAGE``, works from the
log of alerts alone: whatever is to be sent there and not noted as sent, it sends, the oldest first. Before an attempt
the log gets "sending", after it "sent" or "unsent". It ends when the watch has ended and all is sent, or cannot be.

So an alert on record is sent once, however often the watch is killed. If this process itself is killed between a
service's answer and the note of it, as with the whole machine or its container, nobody can know whether
the message arrived: it is sent again, under the same title, with a sentence that says so. Nothing on record is given
up.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

from core.errors import BadInput
from core.jobs import process
from core.jobs.lock import held
from core.jobs.spawn import ROOT, python_module
from core.watch import place
from core.watch.alerts import Kept, class_names, kept, sentence
from core.watch.log import Log
from core.words import Words

Notify = Callable[[str, str], bool]  # title, text; whether it left
SEND = "DISSOLVE_SEND"  # of the environment: where alerts are sent to, which may hold a password
PIPE_BYTES = 65536  # as much as a pipe holds
WAITS = (5.0, 15.0, 60.0, 300.0)  # seconds before the next attempts to send an alert; the last one repeats


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
    """Starts the process that sends the alerts of an inbox, and wakes it.

    Args:
        url: as ``notifier`` takes it; handed over in the environment, which no other user can read.
        folder: of the inbox (``core.watch.place.inbox_folder``).
        run, images: the run's id, and what its images are called.
        language: of the alerts.
    """

    def __init__(self, url: str, folder: Path, run: str, images: str, language: str) -> None:
        self._command = python_module("core.watch.sending", str(folder.resolve()), run, images, language)
        self._environment = os.environ | {SEND: url}
        self._process = self._begun()

    def wake(self) -> None:
        """Says that there is an alert to be sent, and returns at once."""
        self.revive()
        with contextlib.suppress(OSError):  # it is full of words not read yet; or there is nobody, see ``revive``
            os.write(self._words.fileno(), b"\n")

    def revive(self) -> None:
        """Starts the process anew if it has come to an end; it begins with what is left to be sent."""
        if self._process.poll() is not None:
            process.collect(self._process)
            self._process = self._begun()

    def close(self, patience: float) -> None:
        """Waits up to ``patience`` seconds until all is sent. What a service does not take, the next watch sends."""
        self._words.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)

    def _begun(self) -> subprocess.Popen[bytes]:
        begun = subprocess.Popen(
            self._command, cwd=ROOT, env=self._environment, start_new_session=True, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        assert begun.stdin is not None
        os.set_blocking(begun.stdin.fileno(), False)
        return begun

    @property
    def _words(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin


class Delivery:
    """Sends what a log of alerts says is to be sent.

    Args:
        alerts: the log.
        worded: title and text of an alert.
        clock: seconds since 1970.
        elapsed: seconds that go on.
    """

    def __init__(
        self,
        notify: Notify,
        alerts: Path,
        worded: Callable[[Kept], tuple[str, str]],
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notify, self._path, self._worded, self._clock, self._elapsed = notify, alerts, worded, clock, elapsed
        self._log = Log(alerts)
        self._left: set[str] = set()  # ids of those that a service took
        self._failures: Counter[str] = Counter()
        self._due: dict[str, float] = {}  # by id: when an alert that failed is tried again

    def round(self, last: bool = False) -> float | None:
        """Sends what is new, and what failed and is due again; an alert that cannot be sent holds back no other.

        Args:
            last: nothing is waited for any more, so all are due.

        Returns:
            seconds until the next attempt; None if all are sent.
        """
        for one in kept(self._path).values():
            name = one.alert.id
            if not one.send or one.sent is not None or not (last or self._elapsed() >= self._due.get(name, 0.0)):
                continue
            if self._send(one):
                self._due.pop(name, None)
            else:
                wait = WAITS[min(self._failures[name], len(WAITS) - 1)]
                self._failures[name] += 1
                self._due[name] = self._elapsed() + wait
        return max(0.0, min(self._due.values()) - self._elapsed()) if self._due else None

    def _send(self, one: Kept) -> bool:
        """Whether it left and that is noted. On a full disk nothing is sent, since it would be sent again."""
        name = one.alert.id
        with contextlib.suppress(OSError):
            if name not in self._left:
                self._note("sending", name)
                if why := self._fault(one):
                    self._note("unsent", name, why=why)
                    return False
                self._left.add(name)
            self._note("sent", name)
            return True
        return False

    def _fault(self, one: Kept) -> str:
        """Why the service did not take it; "" if it did."""
        try:
            return "" if self._notify(*self._worded(one)) else "the service did not take it"
        except Exception as error:  # a service's own code, over a network
            return type(error).__name__

    def _note(self, kind: str, name: str, **more: str) -> None:
        self._log.append([{"kind": kind, "id": name, "t": round(self._clock(), 3), **more}])


def keep_sending(delivery: Delivery, pause: Callable[[float | None], bool]) -> None:
    """Makes a round at the start and after each pause, and a last one when the watch has ended.

    Args:
        pause: waits for so many seconds (None: without limit), or until the watch says that there is an alert, or ends.
            Whether it has ended.
    """
    while not pause(delivery.round()):
        pass
    delivery.round(last=True)


def heard(words: int, seconds: float | None) -> bool:
    """``pause`` of ``keep_sending``.

    Args:
        words: file descriptor of a pipe that the watch writes to, and that ends with it.
    """
    listening = select.poll()
    listening.register(words, select.POLLIN)
    events = [event for _, event in listening.poll(None if seconds is None else 1000 * seconds)]
    ended = any(event & select.POLLHUP for event in events)
    if events and not ended:
        os.read(words, PIPE_BYTES)
    return ended


def worded(one: Kept, run: str, inbox: str, words: Words, classes: list[str]) -> tuple[str, str]:
    """Title and text of a message. No two alerts have the same title, and an alert has the same one at each attempt.

    A file's name can hold line breaks, which would forge lines of the message, and bytes that no mail takes.

    Args:
        inbox: name of the inbox's folder.
    """
    alert = one.alert
    files = ["".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name) for name in alert.files]
    title = f"Dissolve: {run}, alert {inbox}/{alert.id}, {datetime.fromtimestamp(alert.t, UTC):%Y-%m-%d %H:%M:%S} UTC"
    again = [words("alert.again")] if one.tries else []
    return title, "\n".join([sentence(alert, words, classes), *files, *again])


def main(folder: Path, run: str, images: str, language: str) -> None:
    """The process: sends until its standard input ends."""
    words = Words(language)

    def told(one: Kept) -> tuple[str, str]:
        classes = class_names(images, words, place.about(folder).get("classes") or ())
        return worded(one, run, folder.name, words, classes)

    notify = notifier(os.environ[SEND])
    with held(folder / place.SENDING):  # that of a watch before this one may still be at it
        keep_sending(Delivery(notify, folder / place.ALERTS, told), partial(heard, sys.stdin.fileno()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
