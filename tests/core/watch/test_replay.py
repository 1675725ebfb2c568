from __future__ import annotations

from pathlib import Path

from core.watch.alerts import Rule
from core.watch.drift import WINDOW
from core.watch.log import Log
from core.watch.place import LOG
from core.watch.replay import replay


def image(number: int) -> dict[str, object]:
    return {
        "kind": "image", "t": 0.0, "file": f"{number}.png", "size": number, "changed": 7, "answer": 0, "rate": 0.01,
        "confidence": 0.5, "pictures": {}, "axes": [], "flagged": number < 3,
    }  # fmt: skip


def test_an_empty_folder_has_no_past(tmp_path: Path) -> None:
    past = replay(tmp_path)
    assert (past.seen, past.missing, past.models, past.scan) == ({}, [], {}, None)


def test_it_knows_files_the_last_images_the_model_and_what_was_not_rung_for(tmp_path: Path) -> None:
    with Log(tmp_path / LOG) as log:
        log.append([{"kind": "start", "t": 0.0, "model": "aa", "rules": [vars(Rule("alike", 3, 60))]}])
        log.append([image(number) for number in range(WINDOW + 50)])
        log.append([{"kind": "drift", "t": 0.0, "quantities": {}, "images": 200, "flagged": 0, "rate": 0.01}])
        changed = {"kind": "model", "which": "purified", "file": "m", "before": "aa", "after": "bb", "scan": "run"}
        log.append([image(900), {"t": 0.0, **changed}])
    past = replay(tmp_path)
    assert past.seen["2.png"] == (2, 7)
    assert len(past.seen) == WINDOW + 51
    assert len(past.recent) == WINDOW
    assert past.since == 1
    assert [alert.id for alert in past.missing] == ["4-alike"]
    assert past.models == {"purified": "bb"}
    assert past.scan is not None
    assert past.take({"kind": "verdict", "t": 0.0, "file": "m", "before": "none", "after": "none"}) == []
    assert past.scan is None


def test_a_model_is_known_once_it_was_compared_and_not_when_a_watch_began(tmp_path: Path) -> None:
    with Log(tmp_path / LOG) as log:
        log.append([{"kind": "start", "t": 0.0, "model": "aa", "which": "purified", "rules": []}])
    past = replay(tmp_path)
    assert past.models == {}
    past.take({"kind": "known", "t": 0.0, "which": "purified", "model": "aa"})
    past.take({"kind": "start", "t": 0.0, "model": "bb", "which": "purified", "rules": []})
    past.take({"kind": "known", "t": 0.0, "which": "victim", "model": "cc"})
    assert past.models == {"purified": "aa", "victim": "cc"}
