"""``compare``: several defences on one model, each a run in this process, and one table."""

from __future__ import annotations

import argparse
import secrets
import sys
from dataclasses import replace
from typing import Any

from core.cli.options import BAD_INPUT, DONE, EXIT_CODES, FAILED, INTERRUPTED, NOT_HELD, names
from core.cli.purify import add_model, figures, spec_of, withheld
from core.cli.terminal import RunBars, interactive, table
from core.defenses import COMPARED, DEFENCES
from core.engine import worker
from core.errors import BadInput
from core.files import strict_json
from core.report.proof import read
from core.runs import record
from core.runs.record import Run
from core.words import Words

OF_THE_DEFENCE = (
    "training_diverged",
    "purified_not_finite",
    "no_neurons",
)  # faults of one defence, after which the others still run
HEAD = ("defence", "accuracy, %", "attack success, %", "cure", "seconds")


def compare_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core compare\n"
        "  python -m core compare --victim digits-badnets --defences mcl,ft,nc --json | tail -1\n"
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
    command.set_defaults(map=False)


def compare(arguments: argparse.Namespace) -> int:
    """Exit status of the worst run: failed before not held before done."""
    if not arguments.defences:
        raise BadInput("no_defences", "No defence is named; give at least one, for example --defences mcl,ft.")
    if arguments.out:
        raise BadInput(
            "out_of_many", "A comparison makes a run for each defence; --out can name only one, so leave it."
        )
    specs = [replace(spec_of(arguments), defence=name) for name in dict.fromkeys(arguments.defences)]
    for spec in specs:  # before the first of them takes its minutes
        spec.validate()
    group = secrets.token_hex(4)
    done: list[Run] = []
    failed = False
    for spec in specs:
        run = record.create(spec)
        run.update(group=group)
        if interactive():
            print(f"{spec.defence}:", file=sys.stderr)
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
            print(f"{spec.defence}: {failure['message']}", file=sys.stderr)
            if failure["code"] not in OF_THE_DEFENCE:
                return FAILED if failure["code"] == "internal" else BAD_INPUT
            failed = True
            continue
        done.append(run)
    if not done:
        return BAD_INPUT
    print(strict_json({run.spec.defence: figures(run) for run in done}) if arguments.json else summary(done))
    if failed:
        return BAD_INPUT
    return NOT_HELD if any(withheld(run) for run in done) else DONE


def summary(runs: list[Run]) -> str:
    """The printed table: the victim, then the result of each defence."""
    results = [run.data["result"] for run in runs]
    first, words = results[0], Words("en")
    rows: list[list[Any]] = [["before", f"{first['ba_before']:.2f}", f"{first['asr_before']:.2f}", "", ""]]
    for run, result in zip(runs, results, strict=True):
        spent = sum(result["seconds"].get(stage, 0.0) for stage in ("scan", "purify"))
        grade = words(f"cure.short.{read(result).state}")
        rows.append(
            [run.spec.defence, f"{result['ba_after']:.2f}", f"{result['asr_after']:.2f}", grade, f"{spent:.1f}"]
        )
    kind = "true" if first["asr_kind"] == "true" else "estimated with the reconstructed trigger"
    lines = [
        table(HEAD, rows),
        f"Attack success is {kind}; seconds are those of scan and purification, on {first['device']}.",
        f"Every defence had the same {first['clean_images']} clean images and seed {runs[0].spec.seed}.",
    ]
    for why, says in (("not_held", "The accuracy could not be held by"), ("not_cured", "The model is not cured by")):
        if worse := [run.spec.defence for run in runs if withheld(run) == why]:
            lines.append(f"{says} {', '.join(worse)}: nothing is handed out there.")
    return "\n".join(lines)
