"""One sentence on a result of the test track: does the purified model lose more than the original anywhere?"""

from __future__ import annotations

from typing import Any

from core.stress.paired import LEVEL, beyond_chance
from core.words import LANGUAGES, Words


def judged(found: dict[str, Any]) -> dict[str, Any]:
    """Figures over all cells and classes, and the sentence.

    Returns:
        ``mean_loss``: points of BA that the purified model loses to the original, averaged over the cells; negative
        where it gains. ``worst`` and ``worst_class``: the cell and the class of the largest loss, with
        ``beyond_chance``. ``target_class``, or None: likewise, but judged alone, for it was suspected beforehand.
        ``beyond_chance``: cells that lose more than chance explains. ``mean_asr_before`` and
        ``mean_asr_after``: over the cells, percent, or None. ``sentence`` and ``sentence_ja``.
    """
    cells, classes = found["cells"], found["classes"]
    stands = beyond_chance([cell["chance"] for cell in cells])
    class_stands = beyond_chance([row["chance"] for row in classes])
    worst = max(range(len(cells)), key=lambda k: (cells[k]["loss"], stands[k]))
    worst_class = max(range(len(classes)), key=lambda k: (classes[k]["loss"], class_stands[k]))
    told: dict[str, Any] = {
        "mean_loss": round(sum(cell["loss"] for cell in cells) / len(cells), 2),
        "beyond_chance": sum(stands),
        "worst": cells[worst] | {"beyond_chance": stands[worst]},
        "worst_class": classes[worst_class] | {"beyond_chance": class_stands[worst_class]},
    }
    aimed = next((row for row in classes if row["target"]), None)
    told["target_class"] = aimed and aimed | {"beyond_chance": aimed["chance"] <= LEVEL}
    for when in ("before", "after"):
        rates = [cell[f"asr_{when}"] for cell in cells if cell[f"asr_{when}"] is not None]
        told[f"mean_asr_{when}"] = round(sum(rates) / len(rates), 2) if rates else None
    for language in LANGUAGES:
        told["sentence" if language == "en" else f"sentence_{language}"] = sentence(told, len(cells), language)
    return told


def sentence(told: dict[str, Any], count: int, language: str) -> str:
    """The answer, with the worst cell and the average, in one language."""
    say, worst = Words(language), told["worst"]
    return say(
        "stress.sentence.worse" if told["beyond_chance"] else "stress.sentence.alike",
        cells=told["beyond_chance"], count=count, name=say(f"corruption.{worst['corruption']}"),
        strength=worst["strength"], before=say.percent(worst["ba_before"]), after=say.percent(worst["ba_after"]),
        change=say.change(worst["ba_before"], worst["ba_after"]), mean=say.points(-told["mean_loss"] + 0.0),
    )  # fmt: skip
