"""``compare``: several defences on one model, each a run in this process, and one table."""

from __future__ import annotations

import argparse
import secrets
import sys
from dataclasses import replace
from itertools import groupby
from typing import Any

from core.cli.options import BAD_INPUT, DONE, EXIT_CODES, FAILED, INTERRUPTED, NOT_HELD, Seed, names
from core.cli.purify import add_model, spec_of
from core.cli.result import figures, withheld
from core.cli.terminal import RunBars, interactive, table
from core.defenses import COMPARED, DEFENCES
from core.engine import worker
from core.errors import BadInput
from core.files import strict_json
from core.report.proof import read
from core.report.spread import spread
from core.runs import record
from core.runs.record import Run
from core.words import Words

OF_THE_DEFENCE = (
    "training_diverged",
    "purified_not_finite",
    "no_neurons",
)  # faults of one defence, after which the others still run
HEAD = ("defence", "accuracy, %", "attack success, %", "cure", "seconds")
SPREAD = {"accuracy_after": "ba_after", "attack_success_after": "asr_after"}  # in the JSON of several seeds


def compare_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core compare\n"
        "  python -m core compare --victim digits-badnets --defences mcl,ft,nc --json | tail -1\n"
        "  python -m core compare digits-badnets --defences mcl,ft --seeds 0 1 2     mean and range of three seeds\n"
        "Every defence gets the same clean images and seed. Each is a run of its own, which the dashboard and\n"
        "python -m core runs show too. One attack and one seed say little about other models.\n\n" + EXIT_CODES
    )
    add_model(command, one_run=False)
    command.add_argument(
        "--defences",
        type=names,
        default=list(COMPARED),
        metavar="NAMES",
        help=f"some of {', '.join(DEFENCES)}; {', '.join(COMPARED)} if nothing is said",
    )
    command.add_argument(
        "--seeds",
        type=int,
        action=Seed,
        nargs="+",
        metavar="N",
        help="several seeds, instead of --seed: each defence runs with each",
    )
    command.set_defaults(map=False)


def compare(arguments: argparse.Namespace) -> int:
    """Exit status of the worst run: failed before not held before done."""
    if not arguments.defences:
        raise BadInput("no_defences", "No defence is named; give at least one, for example --defences mcl,ft.")
    if arguments.out:
        raise BadInput(
            "out_of_many", "A comparison makes a run for each defence; --out can name only one, so leave it."
        )
    seeds = dict.fromkeys([arguments.seed] if arguments.seeds is None else arguments.seeds)
    methods, many = dict.fromkeys(arguments.defences), len(seeds) > 1
    specs = [replace(spec_of(arguments), defence=name, seed=each) for each in seeds for name in methods]
    for spec in specs:  # before the first of them takes its minutes
        spec.validate()
    group = secrets.token_hex(4)
    done: list[Run] = []
    failed = False
    for spec in specs:
        run = record.create(spec)
        run.update(group=group)
        called = f"{spec.defence}, seed {spec.seed}" if many else spec.defence
        if interactive():
            print(f"{called}:", file=sys.stderr)
        try:
            with RunBars() as bars:
                status = worker.work(run.folder, on_event=bars)
        except KeyboardInterrupt:
            status = "stopped"
        if status == "stopped":
            print(f"Stopped. Go on with this one: python -m core runs resume {run.id}", file=sys.stderr)
            return INTERRUPTED
        if status == "failed":
            failure = run.data["failure"]
            print(f"{called}: {failure['message']}", file=sys.stderr)
            if failure["code"] not in OF_THE_DEFENCE:
                return FAILED if failure["code"] == "internal" else BAD_INPUT
            failed = True
            continue
        done.append(run)
    if not done:
        return BAD_INPUT
    if arguments.json:
        print(strict_json(several(done) if many else {run.spec.defence: figures(run) for run in done}))
    else:
        print(summary(done))
    if failed:
        return BAD_INPUT
    return NOT_HELD if any(withheld(run) for run in done) else DONE


def several(runs: list[Run]) -> dict[str, Any]:
    """For each defence mean, least and greatest of its figures, and the runs by seed."""
    told: dict[str, Any] = {}
    for defence, group in _methods(runs):
        results = [run.data["result"] for run in group]
        spreads = {name: spread(result[key] for result in results) for name, key in SPREAD.items()}
        told[defence] = {name: found and found._asdict() for name, found in spreads.items()}
        told[defence]["seeds"] = {str(run.spec.seed): figures(run) for run in group}
    return told


def _methods(runs: list[Run]) -> list[tuple[str, list[Run]]]:
    """The runs of each defence, in the order in which the defences were first run."""
    order = list(dict.fromkeys(run.spec.defence for run in runs))
    ordered = sorted(runs, key=lambda run: order.index(run.spec.defence))
    return [(defence, list(group)) for defence, group in groupby(ordered, key=lambda run: run.spec.defence)]


def summary(runs: list[Run]) -> str:
    """The printed table: the victim, then the result of each defence; mean and range over several seeds."""
    first = runs[0].data["result"]
    rows: list[list[Any]] = [["before", f"{first['ba_before']:.2f}", f"{first['asr_before']:.2f}", "", ""]]
    for defence, group in _methods(runs):
        results = [run.data["result"] for run in group]
        spent = [sum(result["seconds"].get(stage, 0.0) for stage in ("scan", "purify")) for result in results]
        rows.append(
            [
                defence, _ends([result["ba_after"] for result in results]),
                _ends([result["asr_after"] for result in results]), _grades(results), f"{sum(spent) / len(spent):.1f}",
            ]
        )  # fmt: skip
    kind = "true" if first["asr_kind"] == "true" else "estimated with the reconstructed trigger"
    seeds = list(dict.fromkeys(run.spec.seed for run in runs))
    same = f"Every defence had the same {first['clean_images']} clean images and seed {seeds[0]}."
    if len(seeds) > 1:
        same = (
            f"Mean and range of seeds {', '.join(map(str, seeds))}; with each seed every defence had the same "
            f"{first['clean_images']} clean images."
        )
    lines = [
        table(HEAD, rows),
        f"Attack success is {kind}; seconds are those of scan and purification, on {first['device']}.",
        same,
    ]
    for why, says in (("not_held", "The accuracy could not be held by"), ("not_cured", "The model is not cured by")):
        if worse := list(dict.fromkeys(_called(run, len(seeds) > 1) for run in runs if withheld(run) == why)):
            lines.append(f"{says} {', '.join(worse)}: nothing is handed out there.")
    return "\n".join(lines)


def _called(run: Run, many: bool) -> str:
    return f"{run.spec.defence} (seed {run.spec.seed})" if many else run.spec.defence


def _ends(values: list[float]) -> str:
    """One value, or the mean of several with the least and the greatest."""
    found = spread(values)
    if found is None:
        return ""
    return f"{found.mean:.2f}" if found.runs == 1 else f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"


def _grades(results: list[dict[str, Any]]) -> str:
    """The grade of one run, or in how many of several the cure holds."""
    states = [read(result).state for result in results]
    if len(states) == 1:
        return Words("en")(f"cure.short.{states[0]}")
    return f"holds in {states.count('holds')} of {len(states)}"
