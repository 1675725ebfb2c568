"""The account in words: how the estimate was made, a manager's checklist, and phrases for a meeting."""

from __future__ import annotations

from typing import NamedTuple

from core.report.account import Account, Given, TrainingStep
from core.report.advice import BA_LIMIT
from core.report.facts import asr
from core.report.wording import Wording


class Check(NamedTuple):
    """A point of the checklist: whether it is done, and how it stands."""

    done: bool
    text: str


def rows(made: Account, given: Given, say: Wording) -> list[tuple[str, str, str]]:
    """Time, images, hours and money: what each is, of the purification, and of a training anew."""
    words, ways = say.words, (made.purified, made.anew)
    told = {
        "time": [words.duration(way.seconds) if way else "–" for way in ways],
        "images": ["–" if way is None or way.images is None else words.count(way.images) for way in ways],
        "hours": [f"{way.hours:g}" if way else "–" for way in ways],
        "money": [money(way.money if way else None, given) for way in ways],
    }
    return [(words(f"account.row.{name}"), spent, anew) for name, (spent, anew) in told.items()]


def money(amount: float | None, given: Given) -> str:
    """An amount with the currency; cents where they matter; a dash where there are no rates."""
    if amount is None:
        return "–"
    return f"{'−' if amount < 0 else ''}{given.currency}{abs(amount):,.{2 if abs(amount) < 100 else 0}f}"


def estimate(made: Account, given: Given, step: TrainingStep | None, say: Wording) -> str:
    """How the figures of a training anew came about."""
    if step is None or made.steps is None:
        return say.words("account.step_none")
    words = say.words
    told = words(
        "account.step", machine=step.machine, device=step.device, arch=step.arch,
        milliseconds=f"{1000 * step.seconds:.0f}",
        batch=words.count(step.batch), timed=words.count(step.timed), epochs=words.count(made.epochs),
        images=words.count(given.training_images or step.images), steps=words.count(made.steps),
    )  # fmt: skip
    here = str(say.facts.machine.get("gpu") or say.facts.machine.get("cpu") or "")
    other = here not in ("", step.machine)
    return words.joined([told, *([words("account.other_machine", machine=here)] if other else [])])


def risk(made: Account, say: Wording) -> list[str]:
    """What is left: attack success with its interval, the grade of the cure, accuracy."""
    left = made.risk
    if left is None:
        return [say.words("account.risk_none")]
    said = []
    if left.fooled is not None and left.interval is not None:
        low, high = left.fooled
        said.append(
            say(f"account.risk_{left.kind}", fooled_low=say.words.count(low), fooled_high=say.words.count(high))
        )  # fmt: skip
    return [*said, say(f"account.risk_cure_{left.cure or 'old'}"), say("account.risk_ba")]


def checklist(made: Account, say: Wording) -> list[Check]:
    """From the baseline to the account; the roll-out and the watch have points of their own."""
    facts, left = say.facts, made.risk
    kept = left is not None and left.ba_before - left.ba <= BA_LIMIT and facts.held is not False
    counted = made.purified is not None and made.purified.money is not None and made.anew is not None
    return [
        Check(facts.before is not None, say(f"account.check.baseline{'' if facts.before else '_open'}")),
        Check(facts.cure == "holds", say(f"account.check.cure{'' if left else '_open'}")),
        Check(kept, say(f"account.check.accuracy{'' if left else '_open'}")),
        Check(counted, say(f"account.check.cost{'' if counted else '_open'}")),
    ]


def phrases(made: Account, given: Given, say: Wording) -> list[str]:
    """What to say of cost and risk in a meeting."""
    words, said = say.words, []
    spent, anew = made.purified, made.anew
    if spent is not None and spent.images is not None:
        said.append(say("account.say.spent"))
    if anew is not None:
        images = words.count(anew.images or 0)
        said.append(words("account.say.anew", time=words.duration(anew.seconds), images=images))
    if spent is not None and anew is not None and made.saved is not None:
        costs = {"cost": money(spent.money, given), "anew": money(anew.money, given)}
        said.append(words("account.say.money", **costs))
    left = made.risk
    if left is not None and left.fooled is not None and asr(say.facts.after) is not None:
        high = words.count(left.fooled[1])
        estimated = "_estimated" if left.cure == "holds" and left.kind == "estimated" else ""
        said.append(say(f"account.say.risk_{left.cure or 'old'}{estimated}", fooled_high=high))
    return said
