"""A run's facts as sentences: what the report and the dashboard say of it, plain text in one language."""

from __future__ import annotations

from typing import Any, NamedTuple

from core.report import repeated
from core.report.advice import ASR_LIMIT, BA_LIMIT, ROWS, Advice, Row, advise
from core.report.evidence import sentences
from core.report.facts import GRADES, Facts, asr, asr_interval, ba_interval
from core.report.proof import handed_out, next_step, points
from core.words import Words


class Item(NamedTuple):
    """A point of a list: its name, its sentence, and how it stands with this run (may be empty)."""

    name: str
    text: str
    here: str = ""
    applies: bool = False


class Wording:
    """Sentences on one run.

    Args:
        facts: of the run.
        words: of the reader's language.
    """

    def __init__(self, facts: Facts, words: Words) -> None:
        self.facts, self.words = facts, words
        self.advice: Advice = advise(facts)
        self.values = self._values()

    def __call__(self, key: str, **facts: Any) -> str:
        """A sentence with what it names of the run's figures filled in."""
        return self.words(key, **self.values | facts)

    # names

    @property
    def model(self) -> str:
        """The model in words: a shipped victim's images and attack, else the name of its file."""
        card = self.facts.card
        if card is None:
            return self.facts.title
        return self.words.victim(card.data, card.attack)

    @property
    def method(self) -> str:
        """The defence in words."""
        spec = self.facts.spec
        if spec.scan_only:
            return self.words("report.p.method_scan")
        return self.words.method(spec.defence, spec.preset)

    @property
    def target(self) -> str:
        return self.class_name(self.facts.target)

    def class_name(self, index: int | None) -> str:
        data = self.facts.card.data if self.facts.card else self.facts.spec.images  # a folder "cifar10" is not CIFAR-10
        return self.words.target(data, self.facts.classes, index)

    @property
    def things(self) -> str:
        """What the images with the trigger are called."""
        return self.words.triggered(self.facts.attack)

    def _values(self) -> dict[str, Any]:
        """Figures by the name sentences use; those that are missing are dashes, and no sentence is chosen for them."""
        facts, words = self.facts, self.words
        before, after = facts.before, facts.after
        now, interval = after or before, asr_interval(after or before)
        floor = ba_interval(now)
        return {
            "asr": words.percent(asr(now)),
            "asr_before": words.percent(asr(before)),
            "ba": words.percent(now.ba if now else None),
            "ba_before": words.percent(before.ba if before else None),
            "target_ba": words.percent(now.target_ba if now else None),
            "target_ba_before": words.percent(before.target_ba if before else None),
            "low": words.percent(interval.low if interval else None),
            "high": words.percent(interval.high if interval else None),
            "floor": words.percent(floor.low if floor else None),
            "change": words.change(before.ba, after.ba) if before and after else "–",
            "limit": words.percent(ASR_LIMIT, 0),
            "points": words.points(BA_LIMIT, signed=False),
            "kind": words(f"report.{before.asr_kind}") if before else "–",
            "time": words.duration(facts.total_seconds),
            "cure": words(f"cure.short.{facts.proof.state}"),
            "count": "–" if facts.clean_images is None else words.count(facts.clean_images),
            "target": self.target,
        }

    # sentences

    def state(self) -> list[str]:
        """How the run stands, where that is not simply "done"."""
        facts, key = self.facts, None
        if facts.going:
            key = "going"
        elif facts.status in ("stopped", "lost", "failed"):
            key = facts.status
        elif facts.spec.scan_only:
            key = "scan_only"
        said = [self("report.state.lab")] if facts.card else []
        return said + ([self(f"report.state.{key}", code=facts.failure or "internal")] if key else [])

    def verdict(self) -> str:
        grade = self.facts.grade
        return self.words(f"verdict.{grade}" if grade in GRADES else f"report.verdict.{grade}")

    def evidence(self) -> list[str]:
        """What the scan saw: sentences."""
        saw, given = self.facts.evidence, self.facts.spec.target
        if self.facts.grade == "skipped":
            return [self("report.evidence.skipped")]
        if saw is None or self.facts.grade not in GRADES:
            return []
        said = sentences(saw, self.words, self.class_name)
        if given is not None and not saw.set_aside:
            said.append(self.words("report.evidence.given", target=self.class_name(given)))
        return said

    def cure(self) -> list[str]:
        """The grade of the cure in words, what it means, what was handed out, last the next step; [] without a cure."""
        facts, words = self.facts, self.words
        if not facts.purified:
            return []
        state, out = facts.proof.state, handed_out(facts.proof, facts.held, facts.spec.accept)
        said = [words(f"cure.{state}"), words(f"cure.{state}.text"), *([words(out)] if out else [])]
        said += repeated.sentences(facts.purifications, words, self.class_name)
        return [*said, words(next_step(facts.proof, facts.held, facts.further))]

    def proof(self) -> list[tuple[bool, str]]:
        """What was tried to wake the backdoor again, and whether it stayed away."""
        found = points(self.facts.proof, self.class_name)
        return [(point.good, self.words(point.key, **point.values)) for point in found]

    def recommendation(self) -> str:
        return self.words(f"report.choice.{self.advice.choice}")

    def reasons(self, besides: tuple[str, ...] = ()) -> list[str]:
        """Why, from this run's figures: sentences; without those that are said elsewhere."""
        return [self(f"report.reason.{key}") for key in self.advice.reasons if key not in besides]

    def decide(self) -> list[Item]:
        """Accept, purify, refuse: the rule of each, and how this run stands with it."""
        return [
            Item(
                self(f"report.decide.{row}"),
                self(f"report.decide.{row}_rule"),
                self._here(row),
                applies=self.advice.row == row,
            )
            for row in ROWS
        ]

    def _here(self, row: Row) -> str:
        facts = self.facts
        if row == "accept":
            grade = self(f"verdict.short.{facts.grade}" if facts.grade in GRADES else f"report.here.{facts.grade}")
            return self("report.here.accepted", grade=grade) if self.advice.choice == "purified" else grade
        if row == "purify":
            return self(
                f"report.here.{'ungraded' if not facts.cure else 'purified'}"
                if facts.purified
                else "report.here.not_purified"
            )
        if facts.before is None:
            return self("report.here.unknown")
        if facts.held is None and not facts.purified:
            return self("report.here.attack_only")
        lost = facts.after is not None and facts.before.ba - facts.after.ba > BA_LIMIT
        held = self.words("report.here.not_held" if facts.held is False or lost else "report.here.held")
        return self("report.here.attack", held=held)

    def questions(self) -> list[str]:
        """What to ask a supplier."""
        facts = self.facts
        said = [self("report.ask.origin")]
        if facts.before is not None:
            said.append(
                self.words(
                    "report.ask.figures",
                    ba=self.words.percent(facts.before.ba),
                    count=self.words.count(facts.before.clean_images),
                )
            )
        signs = facts.grade in ("strong", "some")
        said.append(
            self.words("report.ask.target", target=self.class_name(facts.scanned.target))
            if signs and facts.scanned
            else self("report.ask.scan")
        )
        if facts.weights and facts.weights.sha256:
            said.append(self("report.ask.hash", hash=facts.weights.sha256[:12]))
        said.append(self("report.ask.updates" if facts.clean_images else "report.ask.updates_any"))
        return said

    def steps(self) -> list[Item]:
        """Measure, purify, keep watching."""
        facts = self.facts
        available = {
            "measure": facts.before is not None,
            "purify": facts.purified and facts.clean_images is not None,
            "watch": facts.before is not None and self.advice.choice in ("purified", "accept"),
        }
        return [
            Item(
                self(f"report.step.{name}"),
                self._measured_step(name) if known else self(f"report.step.{name}_any"),
            )
            for name, known in available.items()
        ]

    def _measured_step(self, name: str) -> str:
        if name == "measure":  # the baseline is that of the victim
            return self.words("report.step.measure_text", **self._baseline())
        return self(f"report.step.{name}_text")

    def _baseline(self) -> dict[str, str]:
        return {"ba": self.values["ba_before"], "asr": self.values["asr_before"], "kind": self.values["kind"]}

    def phrases(self) -> list[str]:
        """What to say in the meeting."""
        said = [self.words("report.say.measure", **self._baseline())] if self.facts.before else []
        choice = {"again": "refuse"}.get(self.advice.choice, self.advice.choice)
        if choice == "purified" and self.facts.clean_images is None:
            choice = "purify"
        said.append(self(f"report.say.{choice}"))
        return [*said, self("report.say.stages")]

    def limits(self) -> list[str]:
        """What the finding does not say."""
        about = ("no_scan",) if self.facts.grade == "skipped" else ("covers", "blind", "proof")
        said = [self(f"report.limits.{name}") for name in about]
        if self.facts.before is not None:
            said.append(self(f"report.limits.{self.facts.before.asr_kind}"))
        return [*said, self("report.limits.interval")]
