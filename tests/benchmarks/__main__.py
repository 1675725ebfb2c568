"""``python -m tests.benchmarks``: runs the benchmarks one after another and prints one table, with the machine on top.

Figures are those of an otherwise idle machine; the load at the start is printed, so that a reader can tell.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module

import torch

from core.runs import machine

MODULES = {
    "first_page": "cold and warm start of the dashboard, in headless Chromium",
    "explore": "a selection on the page Explore to its grid of images, in headless Chromium",
    "press_to_frame": "a run of the default victim: first frame, cure, end, pace of the map",
    "viewers": "twenty viewers of one live run: what they cost it, how late each sees a picture, the server's memory",
    "kills": "a run killed at random moments and resumed, beside the same run left alone: weights, figures, pictures",
    "projection": "pace and stillness of the map, without a model",
    "costs": "what a step costs per image and class, on the CPU and on a GPU if there is one",
    "cures": "victims as strangers would bring them: BA, true and estimated ASR, and the grade of the cure",
    "alarms": "forty clean networks and twenty victims: how often the verdict is wrong",
    "small_cures": "those twenty victims purified: BA, true and estimated ASR, and the grade of the cure",
    "transformer": "ViT-S trained here, with and without a backdoor: the scan, and BA and true ASR after purification",
    "fleet": "24 small models ranked by risk, on each engine: minutes, places, overhead a model, one at a time and two",
    "guard": "the guard on shipped victims: AUROC, false alarms, bad weather, images until it rings, pace",
    "alerts": "twenty kills of a watch that sends its alerts: lost, sent twice, seconds until one is there",
    "stress": "the test track: what purified models lose under corruption, class by class and to an adversary",
    "shared_victim": "the MCL authors' CIFAR-10 victim, with our default and with their schedule",
    "strangers.table": "models of a set of our own, as strangers would bring them: signs, errors, cures",
    "data_room": "the data room: recall and false alarms of the filters, and what each way on leaves of the attack",
    "defences": "MCL beside four other defences on that victim, with published figures",
}
Row = tuple[str, str, str]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what is asked for; 1 if a benchmark failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=MODULES, help="run this one; may be repeated"
    )
    parser.add_argument("--list", action="store_true", help="name the benchmarks and run none")
    arguments = parser.parse_args(argv)
    if arguments.list:
        for name, what in MODULES.items():
            print(f"{name:<18}{what}")
        return 0
    head = header()
    found: list[Row] = []
    failed = False
    for name in arguments.only or MODULES:
        start = time.perf_counter()
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            found += import_module(f"tests.benchmarks.{name}").rows()
        except Exception as error:  # the other benchmarks still count
            traceback.print_exc()
            found.append((name, f"failed: {type(error).__name__}: {error}", "-"))
            failed = True
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    print(head)
    print(table(found))
    return int(failed)


def header() -> str:
    """Machine, versions, date and load, one line each."""
    facts, versions = machine.describe(), machine.versions()
    gpu = f"{facts['gpu']}, {facts['gpu_memory_gb']} GB" if "gpu" in facts else "none"
    packages = ", ".join(
        f"{name} {version}" for name, version in versions.items() if name not in ("dissolve", "python")
    )
    return "\n".join(
        (
            f"Machine: {facts['cpu']}, {facts['cores']} cores ({torch.get_num_threads()} threads for torch), "
            f"{facts['memory_gb']} GB; GPU: {gpu}",
            f"Python {versions['python']}, {packages}; {facts['platform']}",
            f"Dissolve {versions['dissolve']}, commit {machine.git_commit() or 'unknown'}",
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load at the start {os.getloadavg()[0]:.1f}",
            "",
        )
    )


def table(rows: Sequence[Row]) -> str:
    """Markdown, columns in line."""
    lines = [("figure", "measured", "asked for"), *rows]
    widths = [max(len(line[i].replace("|", "/")) for line in lines) for i in range(3)]

    def draw(line: Row) -> str:
        return (
            "| "
            + " | ".join(cell.replace("|", "/").ljust(width) for cell, width in zip(line, widths, strict=True))
            + " |"
        )

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([draw(lines[0]), rule, *map(draw, lines[1:])])


if __name__ == "__main__":
    sys.exit(main())
