"""``stress``: the test track, on which a backdoored model and its purified copy are put side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from core.cli.options import add_json, add_seed
from core.cli.terminal import CountBar, table
from core.explore import place as explored
from core.explore.place import told
from core.files import require_room, strict_json
from core.report.repeated import further_classes
from core.runs.record import find
from core.stress import place
from core.stress.settings import NAMES, Settings, quick
from core.words import Words, clock


def stress_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        f"  python -m core stress last                            {len(NAMES)} corruptions at 5 strengths\n"
        "  python -m core stress signs-badnets --quick           a shipped recording, in less time\n"
        "  python -m core stress last --images other-camera/     and images taken elsewhere\n"
        "  python -m core stress signs-badnets --dirty           and purify anew with unclean images\n"
        "What is done is kept; the same command goes on where it was interrupted."
    )
    command.add_argument("run", metavar="RUN", help="id, folder, or last; one that has a purified model")
    command.add_argument(
        "--images", metavar="DIR", help="a second folder of images of the same classes, from another camera"
    )
    command.add_argument("--quick", action="store_true", help="fewer images, three of the five strengths")
    command.add_argument(
        "--dirty", action="store_true",
        help="purify six times more, with 1 to 20 %% wrong labels or 0.1 to 2 %% triggered images among the clean ones",
    )  # fmt: skip
    add_seed(command, "which test images, and everything drawn for the corruptions")
    add_json(command)


def stress(arguments: argparse.Namespace) -> int:
    run = find(arguments.run)
    place.require_pair(run)
    require_room(explored.folder_of(run))
    with (
        place.alone(run),
        CountBar("Measuring") as bar,
        told(run, place.KIND, lambda _, done, total: bar(round(done), round(total), _left(run))) as report,
    ):
        from core.stress.contamination import require_lab
        from core.stress.track import contaminate, run_track

        if arguments.dirty:
            require_lab(run)
        make = quick if arguments.quick else Settings
        found = run_track(run, make(seed=arguments.seed, images=arguments.images), report)
        rows = contaminate(run, report) if arguments.dirty else place.contaminations(run)
    found = found | {"dirty": rows} if rows else found
    if arguments.json:
        file = {"file": place.file_of(run, found)}
        print(strict_json({name: value for name, value in found.items() if name not in ("source", "key")} | file))
    else:
        print(_written(found, further_classes(run.snapshot().result)))
    return 0


def _left(run: Any) -> str:
    job = place.job(run)
    return "" if job is None or job.left is None else f"{clock(job.left)} left"


def _written(found: dict[str, Any], further: Sequence[int]) -> str:
    """The result for a reader: the sentence, then a row for each corruption, then what else may have been broken.

    Args:
        further: classes that only a new scan of the purified model named: their triggers are not measured here.
    """
    say = Words("en")
    rows = []
    for name in dict.fromkeys(cell["corruption"] for cell in found["cells"]):
        cells = [cell for cell in found["cells"] if cell["corruption"] == name]
        means = [_mean([cell[f"{what}_{when}"] for cell in cells]) for what in ("ba", "asr", "ece") for when in WHENS]
        rows.append([say(f"corruption.{name}"), *means, max(cell["loss"] for cell in cells)])
    head = ["mean over strengths, %", *(f"{what} {when}" for what in ("BA", "ASR", "ECE") for when in WHENS)]
    lines = [found["sentence"], "", table([*head, "largest loss"], rows), ""]
    if found["asr_kind"] != "none":
        lines.append(f"ASR is {found['asr_kind']}, towards class {found['target']}; the trigger is put on first.")
        untested = "Class {}, which only the new scan named, is not tested here but by the proof."
        lines += [untested.format(label) for label in further]
    if found["shifted"]:
        other = found["shifted"]
        lines.append(f"Second folder: BA {_both(other, 'ba_')}, ASR {_both(other, 'asr_')}, ECE {_both(other, 'ece_')}")
    for what, row in (("Largest loss of a class", found["worst_class"]), ("Target class", found["target_class"])):
        if row is not None:
            more = "loses more" if row["beyond_chance"] else "loses no more"
            lines.append(f"{what}: {row['name']}, {_both(row, '')} %, {more} than chance explains")
    lines += [f"Right under PGD, {row['epsilon']}: {_both(row, '')} %" for row in found["robustness"]]
    lines.append(f"Mean confidence: {_both(found['confidence'], '')} %")
    if found.get("dirty"):
        figures = (f"{what} {when}" for what in ("BA", "ASR") for when in WHENS)
        head = ["contamination of the clean images", "%", *figures, "cure"]
        lines += ["", table(head, [_contaminated(row) for row in found["dirty"]])]
    return "\n".join(lines)


def _contaminated(row: dict[str, Any]) -> list[Any]:
    figures = [row[f"{what}_{when}"] for what in ("ba", "asr") for when in WHENS]
    return [row["kind"], row["share"], *("-" if value is None else value for value in figures), row["cure"] or "-"]


WHENS = ("before", "after")


def _mean(values: list[float | None]) -> float | str:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 1) if known else "-"


def _both(row: dict[str, Any], name: str) -> str:
    return " -> ".join("-" if row[f"{name}{when}"] is None else f"{row[f'{name}{when}']:.1f}" for when in WHENS)
