from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from core.errors import BadInput
from core.watch.alerts import Alert, kept, written
from core.watch.log import Log, entries
from core.watch.sending import Sender, notifier
from tests.conftest import DiskFull

PATIENCE = 30.0  # seconds; only a fault takes as long


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    path = tmp_path / "alerts.jsonl"
    with Log(path) as log:
        log.append(written([Alert("1", 0.0, "model", {}), Alert("2", 0.0, "model", {})]))
    return path


def test_what_is_offered_is_sent_once_and_noted(alerts: Path) -> None:
    sent: list[tuple[str, str]] = []
    sender = Sender(lambda title, text: sent.append((title, text)) is None, alerts, clock=lambda: 5.0)
    sender.offer("1", "title", "first")
    sender.offer("2", "title", "second")
    sender.offer("1", "title", "first")  # as a watch does that finds it unsent and rings for it too
    sender.close(PATIENCE)
    assert sent == [("title", "first"), ("title", "second")]
    assert [one.sent for one in kept(alerts).values()] == [5.0, 5.0]


def test_a_service_that_is_down_is_tried_again_and_holds_up_nobody(alerts: Path) -> None:
    down, waits = [True, True], []
    tried = threading.Event()

    def notify(title: str, text: str) -> bool:
        if down:
            down.pop()
            raise ConnectionError("no route")
        tried.set()
        return True

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    sender = Sender(notify, alerts, wait=wait)
    sender.offer("1", "title", "text")  # returns at once
    assert tried.wait(PATIENCE)
    sender.close(PATIENCE)
    assert waits == sorted(waits)
    assert len(waits) == 2
    kinds = [entry["kind"] for entry in entries(alerts) if entry.get("id") == "1"]
    assert kinds == ["alert", "sending", "unsent", "sending", "unsent", "sending", "sent"]


def test_a_watch_that_ends_leaves_the_rest_to_the_next(alerts: Path) -> None:
    waiting = threading.Event()

    def wait(seconds: float) -> bool:
        waiting.set()
        return True  # closed meanwhile

    sender = Sender(lambda title, text: False, alerts, wait=wait)
    sender.offer("1", "title", "text")
    assert waiting.wait(PATIENCE)
    sender.close(PATIENCE)
    one = kept(alerts)["1"]
    assert (one.sent, one.sending, one.unsent) == (None, None, "the service did not take it")


def test_what_cannot_be_noted_is_not_sent(alerts: Path, disk_full: DiskFull) -> None:
    sent: list[str] = []
    with disk_full():
        sender = Sender(lambda title, text: sent.append(text) is None, alerts, wait=lambda seconds: True)
        sender.offer("1", "title", "text")
        sender.close(PATIENCE)
    assert sent == []


def test_without_apprise_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(BadInput, match="pip install") as error:
        notifier("json://localhost")
    assert error.value.code == "apprise_missing"


class Receiver(BaseHTTPRequestHandler):
    got: list[bytes]

    def do_POST(self) -> None:
        self.got.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    Receiver.got = []
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_apprise_brings_it_to_a_local_receiver(alerts: Path, receiver: HTTPServer) -> None:
    pytest.importorskip("apprise")
    sender = Sender(notifier(f"json://127.0.0.1:{receiver.server_port}"), alerts)
    sender.offer("1", "Dissolve: run", "3 of the last 60 images look triggered")
    sender.close(PATIENCE)
    (message,) = Receiver.got
    assert b"3 of the last 60 images" in message
    assert kept(alerts)["1"].sent is not None


def test_an_address_that_is_none_is_refused_without_repeating_it() -> None:
    pytest.importorskip("apprise")
    with pytest.raises(BadInput) as error:
        notifier("nonsense-secret")
    assert error.value.code == "bad_send_url"
    assert "secret" not in error.value.message
