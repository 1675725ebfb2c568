from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import pytest

from core.errors import BadInput
from core.watch.alerts import RULES, Alarms, Alert, Rule, What, kept, read_rules, sentence, written
from core.watch.log import Log
from core.words import LANGUAGES, Words

ALIKE = Rule("alike", threshold=3, window=10, quiet=100)
FLAGGED = Rule("flagged", threshold=4, window=20, quiet=100)


def image(number: int, flagged: bool = False, answer: int = 0, t: float = 0.0) -> dict[str, Any]:
    return {
        "kind": "image", "t": t, "file": f"{number}.png", "flagged": flagged, "answer": answer, "rate": 0.01
    }  # fmt: skip


def rung(rules: list[Rule], entries: list[dict[str, Any]]) -> list[Alert]:
    alarms = Alarms(rules)
    return [alert for entry in entries for alert in alarms.feed(entry)]


def test_it_rings_at_the_third_flagged_image_of_a_class_within_the_window() -> None:
    entries = [image(n, flagged=n in (2, 5, 9), answer=7) for n in range(12)]
    (alert,) = rung([ALIKE], entries)
    assert alert.id == "10-alike"
    assert alert.files == ["2.png", "5.png", "9.png"]
    assert alert.facts == {"count": 3, "images": 10, "rate": 0.01, "answer": 7}


@pytest.mark.parametrize("hits", [(0, 5, 10), (0, 5)])
def test_it_does_not_ring_for_flags_too_far_apart_or_too_few(hits: tuple[int, ...]) -> None:
    assert rung([ALIKE], [image(n, flagged=n in hits) for n in range(11)]) == []


def test_flags_of_several_classes_ring_the_other_rule() -> None:
    entries = [image(n, flagged=n % 3 == 0, answer=n) for n in range(12)]
    (alert,) = rung([ALIKE, FLAGGED], entries)
    assert alert.rule == "flagged"
    assert len(alert.files) == 4


def test_after_an_alert_it_is_quiet_for_a_while_and_the_same_images_ring_once() -> None:
    entries = [image(n, flagged=True, t=float(n)) for n in range(100)]
    assert [alert.id for alert in rung([ALIKE], entries)] == ["3-alike"]
    later = [image(n, flagged=n < 3 or n in (3, 4), t=200.0 * (n > 2)) for n in range(6)]
    assert len(rung([ALIKE], later)) == 1  # only two since


def test_each_class_has_a_quiet_time_of_its_own() -> None:
    entries = [image(n, flagged=True, answer=n % 2) for n in range(6)]
    assert [alert.facts["answer"] for alert in rung([ALIKE], entries)] == [0, 1]


def test_the_same_log_gives_the_same_alerts() -> None:
    entries = [{"kind": "start", "t": 0.0, "rules": [asdict(ALIKE)]}, *(image(n, True) for n in range(5))]
    assert rung([FLAGGED], entries) == rung([], entries)  # the rules are those that the log names
    assert len(rung([], entries)) == 1


def test_drift_rings_when_something_moved() -> None:
    def moved(*names: str) -> dict[str, Any]:
        quantities = {name: {"statistic": 0.5, "p": 0.0, "drifted": name in names} for name in ("answers", "sharpness")}
        return {"kind": "drift", "t": 0.0, "quantities": quantities, "images": 200, "flagged": 1, "rate": 0.01}

    assert rung([Rule("drift")], [moved()]) == []
    (alert,) = rung([Rule("drift")], [moved("sharpness"), moved("sharpness")])
    assert alert.facts["moved"] == ["sharpness"]


def test_a_verdict_that_stays_does_not_ring() -> None:
    def verdict(before: str, after: str) -> dict[str, Any]:
        return {"kind": "verdict", "t": 0.0, "file": "m", "before": before, "after": after}

    assert rung([Rule("verdict", quiet=0)], [verdict("none", "none")]) == []
    assert len(rung([Rule("verdict", quiet=0)], [verdict("none", "strong")])) == 1


def test_broken_files_ring_their_own_rule() -> None:
    broken = [{"kind": "unreadable", "t": 0.0, "file": f"{n}.png"} for n in range(5)]
    (alert,) = rung([Rule("unreadable", threshold=4, window=9), ALIKE], broken)
    assert alert.facts["count"] == 4


def test_the_log_of_alerts_says_what_became_of_each(tmp_path: Path) -> None:
    alerts = rung([ALIKE], [image(n, True, answer=n // 3) for n in range(9)])
    path = tmp_path / "alerts.jsonl"
    with Log(path) as log:
        log.append([{**entry, "send": True} for entry in written(alerts)])
        log.append([{"kind": "sending", "id": alerts[0].id, "t": 1.0}, {"kind": "sent", "id": alerts[0].id, "t": 2.0}])
        log.append([{"kind": "sending", "id": alerts[1].id, "t": 1.0}])
        log.append([{"kind": "unsent", "id": alerts[1].id, "t": 2.0, "why": "down"}])
        log.append([{"kind": "acknowledged", "id": alerts[2].id, "t": 3.0}, {"kind": "sent", "id": "none", "t": 0.0}])
    first, second, third = kept(path).values()
    assert first.alert == alerts[0]
    assert (first.sent, first.acknowledged) == (2.0, None)
    assert (second.sent, second.sending, second.unsent) == (None, None, "down")
    assert third.acknowledged == 3.0
    assert third.send


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("what", get_args(What))
def test_every_alert_is_one_sentence_in_every_language(what: What, language: str) -> None:
    facts = {
        "count": 3, "images": 60, "rate": 0.01, "answer": 1, "moved": ["brightness", "feature_1", "feature_2"],
        "flagged": 0, "file": "model.safetensors", "before": "none", "after": "strong",
    }  # fmt: skip
    text = sentence(Alert("1", 0.0, what, facts), Words(language), ["stop", "give way"])
    assert "{" not in text
    if what == "alike":
        assert "give way" in text
        assert "0.6" in text
    if what == "drift":
        assert text.count(Words(language)("alert.quantity.features")) == 1


def test_many_flagged_images_change_what_a_drift_says() -> None:
    facts = {"moved": ["sharpness"], "images": 200, "flagged": 2, "rate": 0.01}
    few, many = (
        sentence(Alert("1", 0.0, "drift", facts | {"flagged": count}), Words("en")) for count in (2, 20)
    )  # fmt: skip
    assert "before you suspect an attack" in few
    assert "before you suspect an attack" not in many


def test_rules_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps([{"what": "flagged", "threshold": 2, "window": 5}]))
    assert read_rules(path) == (Rule("flagged", 2, 5),)


def refused(path: Path, content: str) -> BadInput:
    path.write_text(content)
    with pytest.raises(BadInput) as error:
        read_rules(path)
    return error.value


@pytest.mark.parametrize("content", ["", "{}x", "{}", "[1]", '[{"what": "smell"}]', '[{"when": 1}]', '[{"what": []}]'])
def test_rules_that_are_none_are_refused(tmp_path: Path, content: str) -> None:
    assert refused(tmp_path / "rules.json", content).code == "bad_rules"


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"threshold": 0}, "bad_rule_count", "threshold"),
        ({"threshold": 2.5, "window": 9}, "bad_rule_count", "2.5"),
        ({"threshold": True}, "bad_rule_count", "True"),
        ({"window": -3}, "bad_rule_count", "window"),
        ({"window": "9"}, "bad_rule_count", "'9'"),
        ({"window": math.inf}, "bad_rule_count", "inf"),
        ({"threshold": 4, "window": 3}, "bad_rule_window", "4 within 3"),
        ({"threshold": 4}, "bad_rule_window", "4 within 1"),
        ({"quiet": -1}, "bad_rule_quiet", "-1"),
        ({"quiet": math.nan}, "bad_rule_quiet", "nan"),
        ({"quiet": math.inf}, "bad_rule_quiet", "inf"),
        ({"quiet": None}, "bad_rule_quiet", "None"),
    ],
)
def test_a_number_that_can_be_none_is_named_with_its_rule(
    tmp_path: Path, fields: dict[str, Any], code: str, named: str
) -> None:
    error = refused(tmp_path / "rules.json", json.dumps([{"what": "drift"}, {"what": "flagged", **fields}]))
    assert error.code == code
    assert "Rule 2 (flagged)" in error.message
    assert named in error.message


def test_an_empty_list_and_the_built_in_rules_are_allowed(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text("[]")
    assert read_rules(path) == ()
    path.write_text(json.dumps([asdict(rule) for rule in RULES]))
    assert read_rules(path) == RULES
