from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from torch import Tensor

from core.data.imageset import as_float
from core.errors import BadInput
from core.watch.alerts import Rule
from core.watch.guard import Guard
from core.watch.inbox import Inbox
from core.watch.metrics import Metrics, address
from core.watch.watcher import Watcher
from tests.core.tiny import Tiny
from tests.core.watch.conftest import put

LOCAL = ("127.0.0.1", 0)  # a port that the operating system chooses


@pytest.fixture
def watcher(guard: Guard, inbox: Path, tmp_path: Path) -> Iterator[Watcher]:
    held = Inbox(inbox)
    rules = (Rule("alike", threshold=3, window=60),)
    watcher = Watcher(guard, held, tmp_path / "watch", rules=rules, clock=lambda: 4e9, model="aa" * 32)
    yield watcher
    watcher.close()
    held.close()


def figures(url: str) -> dict[str, float]:
    """What a scrape of a real address gives, by name and labels, without those that are the same everywhere."""
    pytest.importorskip("prometheus_client")
    from prometheus_client.parser import text_string_to_metric_families

    with urlopen(url, timeout=120) as answer:
        text = answer.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert (sample.labels.pop("run"), sample.labels.pop("inbox")) == ("one", "camera")
            found[" ".join([sample.name.removeprefix("dissolve_watch_"), *sample.labels.values()])] = sample.value
    return found


def test_a_scrape_tells_what_the_watch_has_seen(watcher: Watcher, inbox: Path, tiny: Tiny, guard: Guard) -> None:
    pytest.importorskip("prometheus_client")
    served = Metrics(watcher, {"run": "one", "inbox": "camera"}, LOCAL)
    try:
        assert served.url.startswith("http://127.0.0.1:")
        before = figures(served.url)
        assert (before["images_total"], before["last_look_timestamp_seconds"]) == (0, 0)
        bad: Tensor = tiny.trigger(as_float(tiny.images.x_test[tiny.images.y_test != tiny.target][:100]))
        bad = bad[[one.flagged for one in guard.look(bad)]][:3]
        for number, image in enumerate([*tiny.x[:40], *bad]):
            put(inbox, f"{number:03}.png", image)
        (inbox / "broken.png").write_bytes(b"no picture")
        watcher.look()
        watcher.compare()
        watcher.note({"kind": "model", "file": "m", "which": "victim", "before": "aa", "after": "bb", "scan": None})
        after = figures(served.url)
    finally:
        served.close()
    assert after["images_total"] == 43
    assert after["flagged_total"] == watcher.tally.counts["flagged"] >= 3
    assert after["unreadable_total"] == 1
    assert (after["alerts_total alike"], after["alerts_total drift"]) == (1, 0)
    assert after["drift_statistic brightness"] == watcher.tally.drift["brightness"].statistic
    assert after["drifted answers"] == float(watcher.tally.drift["answers"].drifted)
    assert (after["model_changes_total"], after["last_look_timestamp_seconds"]) == (1, 4e9)
    assert after[f"model {'aa' * 32}"] == 1


def test_a_port_that_is_taken_is_said_in_a_sentence(watcher: Watcher) -> None:
    pytest.importorskip("prometheus_client")
    with socket.socket() as taken:
        taken.bind(LOCAL)
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput) as fault:
            Metrics(watcher, {}, (LOCAL[0], port))
    assert fault.value.code == "metrics_port"
    assert str(port) in fault.value.message


def test_without_the_package_one_sentence_says_how_to_get_it(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(BadInput) as fault:
        Metrics(watcher, {}, LOCAL)
    assert fault.value.code == "prometheus_missing"
    assert "pip install --group metrics" in fault.value.message


def test_an_address_is_this_machine_s_own_unless_it_is_said() -> None:
    assert address("9108") == ("127.0.0.1", 9108)
    assert address("0.0.0.0:9108") == ("0.0.0.0", 9108)
    assert address("[::1]:0") == ("::1", 0)
    for wrong in ("", "x", "70000", "-1", "host:"):
        with pytest.raises(ValueError, match=r"."):
            address(wrong)
