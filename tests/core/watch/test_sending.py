from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs.spawn import ROOT
from core.watch import place
from core.watch.alerts import Alert, Kept, kept, written
from core.watch.log import Log, entries
from core.watch.sending import Delivery, Sender, heard, keep_sending, notifier, worded
from core.words import LANGUAGES, Words
from tests.conftest import DiskFull

PATIENCE = 30.0  # seconds; only a fault takes as long
APPRISE = """
from urllib.request import urlopen
class Apprise:
    def add(self, url):
        self.url = url.replace("json://", "http://")
        return True
    def notify(self, body, title):
        urlopen(self.url, (title + "\\n" + body).encode()).read()
        return True
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from core.watch.sending import Delivery
def notify(title, text):
    if sys.argv[2] == "after":
        Path(sys.argv[3]).write_text(title)
    os.kill(os.getpid(), signal.SIGKILL)
Delivery(notify, Path(sys.argv[1]), lambda one: (one.alert.id, "")).round()
"""


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    """Of two alerts that are to be sent, and one that is not."""
    path = tmp_path / "camera-1" / place.ALERTS
    found = written([Alert(f"{number}-model", 60.0 * number, "model", FACTS) for number in (1, 2, 3)])
    with Log(path) as log:
        log.append([{**entry, "send": entry["id"] != "3-model"} for entry in found])
    return path


FACTS = {"file": "m.pt", "before": "aa", "after": "bb"}


def told(one: Kept) -> tuple[str, str]:
    return worded(one, "run", "camera-1", Words("en"), [])


def test_what_is_to_be_sent_is_sent_once_and_noted(alerts: Path) -> None:
    sent: list[tuple[str, str]] = []
    delivery = Delivery(lambda *message: sent.append(message) is None, alerts, told, clock=lambda: 5.0)
    assert delivery.round() is None
    assert delivery.round() is None
    assert [title for title, _ in sent] == [
        "Dissolve: run, alert camera-1/1-model, 1970-01-01 00:01:00 UTC",
        "Dissolve: run, alert camera-1/2-model, 1970-01-01 00:02:00 UTC",
    ]
    assert [one.sent for one in kept(alerts).values()] == [5.0, 5.0, None]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_that_may_have_arrived_says_so_under_the_same_title(language: str) -> None:
    alert = Alert("41-alike", 0.0, "model", FACTS, ["a.png"])
    first, second = (worded(Kept(alert, tries=n), "run", "camera-1", Words(language), []) for n in (0, 1))
    assert first[0] == second[0]
    assert second[1].splitlines() == [*first[1].splitlines(), Words(language)("alert.again")]
    assert "a.png" in first[1]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_sender_that_is_killed_while_it_sends_leaves_no_alert_out(alerts: Path, tmp_path: Path, moment: str) -> None:
    """Killed before the message left, or between its arrival and the note: nobody can tell, so it is sent again."""
    arrived = tmp_path / "arrived"
    call = [sys.executable, "-c", KILLED, str(alerts), moment, str(arrived)]
    assert subprocess.run(call, cwd=ROOT, check=False).returncode == -9
    assert arrived.exists() is (moment == "after")
    sent: list[tuple[str, str]] = []
    assert Delivery(lambda *message: sent.append(message) is None, alerts, told).round() is None
    assert [Words("en")("alert.again") in text for _, text in sent] == [True, False]
    assert [one.tries for one in kept(alerts).values()] == [2, 1, 0]


def test_a_service_that_is_down_is_given_time_and_tried_again(alerts: Path) -> None:
    pauses: list[float | None] = []

    def notify(title: str, text: str) -> bool:
        if len(pauses) < 2:
            raise ConnectionError("no route")
        return True

    def pause(seconds: float | None) -> bool:
        pauses.append(seconds)
        return len(pauses) == 3

    keep_sending(Delivery(notify, alerts, told, elapsed=lambda: sum(filter(None, pauses))), pause)
    assert pauses == [5.0, 15.0, None]
    kinds = [entry["kind"] for entry in entries(alerts) if entry["id"] == "1-model"]
    assert kinds == ["alert", "sending", "unsent", "sending", "unsent", "sending", "sent"]


def test_one_that_can_never_be_sent_holds_back_no_other(alerts: Path) -> None:
    def notify(title: str, text: str) -> bool:
        if "1-model" in title:
            raise ValueError("too long")
        return True

    now = 100.0
    delivery = Delivery(notify, alerts, told, elapsed=lambda: now)
    assert delivery.round() == 5.0
    first, second, _ = kept(alerts).values()
    assert (first.sent, first.unsent) == (None, "ValueError")
    assert second.sent

    with Log(alerts) as log:  # one that comes while the first waits for its next attempt
        log.append([{**entry, "send": True} for entry in written([Alert("4-model", 240.0, "model", FACTS)])])
    now = 103.0
    assert delivery.round() == 2.0
    found = kept(alerts)
    assert found["4-model"].sent
    assert (found["1-model"].tries, found["1-model"].sent) == (1, None)
    now = 105.0
    assert delivery.round() == 15.0
    assert kept(alerts)["1-model"].tries == 2


@pytest.mark.parametrize("name", ["a.png\nAll is well.png", "\udcff.png"])
def test_a_files_name_forges_no_line_and_can_be_sent(name: str) -> None:
    alert = Alert("41-alike", 0.0, "model", FACTS, [name])
    _, text = worded(Kept(alert), "run", "camera-1", Words("en"), [])
    assert text.encode().decode().splitlines()[1:] == ["".join(c if c in "a.pngAll is we" else "\ufffd" for c in name)]


def test_when_the_watch_has_ended_each_is_tried_once_more_and_left_to_the_next(alerts: Path) -> None:
    tried: list[str] = []
    keep_sending(Delivery(lambda title, text: tried.append(title) is not None, alerts, told), lambda seconds: True)
    assert len(tried) == 4
    one = kept(alerts)["1-model"]
    assert (one.sent, one.sending, one.unsent) == (None, None, "the service did not take it")


def test_a_watch_is_heard_and_its_end_too() -> None:
    read, write = os.pipe()
    os.write(write, b"\n\n")
    assert not heard(read, None)
    assert not heard(read, 0.0), "what was said is said"
    os.close(write)
    assert heard(read, None)
    assert heard(read, PATIENCE)
    os.close(read)


def test_what_cannot_be_noted_is_not_sent(alerts: Path, disk_full: DiskFull) -> None:
    sent: list[str] = []
    now = 0.0
    delivery = Delivery(lambda title, text: sent.append(title) is None, alerts, told, elapsed=lambda: now)
    with disk_full():
        assert delivery.round() == 5.0
    assert sent == []
    now = 5.0
    with disk_full(after=1):  # "sending" is on the disk, "sent" is not
        assert delivery.round() == 15.0
    now = 20.0
    assert delivery.round() is None
    assert len(sent) == 2, "what has left is noted later, and not sent again"


def test_without_apprise_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(BadInput, match="pip install") as error:
        notifier("json://localhost")
    assert error.value.code == "apprise_missing"


class Receiver(ThreadingHTTPServer):
    """Keeps the messages in ``got``; answers none as long as ``answering`` is not set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.got: list[str] = []
        self.answering = threading.Event()


class Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.answering.wait(PATIENCE)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.answering.set()
        server.shutdown()


def test_watches_that_are_killed_lose_no_alert_and_send_none_twice(
    alerts: Path, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Callable[..., None]
) -> None:
    """The first is killed while a message is on its way, the second while its sender waits for that of the first."""
    (tmp_path / "stand-in").mkdir()
    (tmp_path / "stand-in" / "apprise.py").write_text(APPRISE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stand-in"))
    script = (
        "import sys; from pathlib import Path; from core.watch.sending import Sender\n"
        "Sender(sys.argv[1], Path(sys.argv[2]), 'run', 'digits', 'en'); print(); sys.stdin.read()"
    )
    call = [sys.executable, "-c", script, f"json://127.0.0.1:{receiver.server_port}", str(alerts.parent)]
    for _ in range(2):
        with subprocess.Popen(call, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as watch:
            assert watch.stdout
            watch.stdout.readline()
            until(lambda: receiver.got)
            watch.kill()
    receiver.answering.set()
    last = Sender(call[3], alerts.parent, "run", "digits", "en")
    last.wake()
    last.close(PATIENCE)
    assert [message.split("/")[1][:7] for message in receiver.got] == ["1-model", "2-model"]
    assert [one.tries for one in kept(alerts).values()] == [1, 1, 0]
    assert all(one.sent for one in kept(alerts).values() if one.send)


def test_apprise_brings_it_to_a_local_receiver(alerts: Path, receiver: Receiver) -> None:
    pytest.importorskip("apprise")
    receiver.answering.set()
    assert Delivery(notifier(f"json://127.0.0.1:{receiver.server_port}"), alerts, told).round()
    assert [Words("en")("alert.model", **FACTS) in message for message in receiver.got] == [True, True]


def test_an_address_that_is_none_is_refused_without_repeating_it() -> None:
    pytest.importorskip("apprise")
    with pytest.raises(BadInput) as error:
        notifier("nonsense-secret")
    assert error.value.code == "bad_send_url"
    assert "secret" not in error.value.message
