"""``account``: what a purification cost, what training anew would, and what risk is left."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any

from core import report
from core.cli.options import DONE, EXIT_CODES, add_json
from core.cli.terminal import CountBar, table
from core.files import require_room, strict_json
from core.jobs.note import told
from core.report import account as accounts
from core.report import account_words
from core.report.account import Account, Given, TrainingStep
from core.report.account_words import Check
from core.report.wording import Wording
from core.rollout.wording import in_use
from core.runs import hashes
from core.runs.record import Run, find
from core.words import LANGUAGES

RATES = {
    "machine_hour": "price of an hour of the machine",
    "image": "price of one image labelled by people",
    "engineer_hour": "price of an hour of a person",
    "purify_hours": "hours of people for the purification",
    "train_hours": "hours of people for a training anew",
}


def account_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core account last\n"
        "  python -m core account last --machine-hour 3 --image 0.05 --engineer-hour 90 --purify-hours 4 \\\n"
        "      --train-hours 40 --currency €\n"
        "  python -m core account signs-badnets --json | tail -1\n"
        "Minutes and images of the purification are those of the run's record. Training anew is an estimate: a\n"
        "training step is measured on this machine the first time, and multiplied by the steps of --epochs passes.\n"
        "What is given is kept beside the run; dashboard and report show it.\n\n" + EXIT_CODES
    )
    command.add_argument("run", metavar="RUN", help="id, folder, or last")
    for name, what in RATES.items():
        command.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="X", help=what)
    command.add_argument("--currency", metavar="SIGN", help="written before the amounts")
    command.add_argument(
        "--training-images", type=int, metavar="N", help="of a training anew; else the run's image set"
    )
    command.add_argument("--epochs", type=int, metavar="N", help=f"passes; else the victim's own, or {accounts.EPOCHS}")
    command.add_argument("--measure", action="store_true", help="measure the training step again")
    command.add_argument("--lang", choices=LANGUAGES, default="en", help="of checklist and phrases")
    command.add_argument("--note", action="store_true", help=argparse.SUPPRESS)  # a job's note, for the page
    add_json(command)


def account(arguments: argparse.Namespace) -> int:
    run = find(arguments.run)
    hashes.check_report(run)
    given, step = accounts.kept(run)
    names = (*RATES, "currency", "training_images", "epochs")
    changed = replace(given, **{name: value for name in names if (value := getattr(arguments, name)) is not None})
    if step is None or arguments.measure:
        step = _measured(run, arguments.note)
        given = accounts.kept(run)[0]  # the page may have taken rates meanwhile
        changed = given if arguments.note else changed
        accounts.keep(run, changed, step)
    elif changed != given:
        accounts.keep(run, changed, step)
    say = report.wording(run, arguments.lang)
    made = accounts.account(say.facts, changed, step)
    checks = [*account_words.checklist(made, say), *in_use(run, say.words)]
    if arguments.json:
        print(strict_json(_result(run, made, changed, step, say, checks)))
    else:
        print(_told(made, changed, step, say, checks))
    return DONE


def _measured(run: Run, noted: bool) -> TrainingStep:
    path = accounts.job_of(run)
    require_room(path.parent)
    with (
        told(path) if noted else nullcontext(lambda stage, done, total: None) as note,
        CountBar("Training step") as bar,
    ):
        from core.rollout.training_step import measure  # torch from here on

        def progress(done: int, total: int) -> None:
            bar(done, total)
            note("step", done, total)

        return measure(run, progress)


def _result(
    run: Run, made: Account, given: Given, step: TrainingStep, say: Wording, checks: list[Check]
) -> dict[str, Any]:
    """The one JSON object of ``--json``."""
    left = made.risk
    return {
        "run": run.id, "purified": asdict(made.purified) if made.purified else None,
        "anew": asdict(made.anew) if made.anew else None, "steps": made.steps, "epochs": made.epochs,
        "times": made.times, "saved": made.saved,
        "risk": {**asdict(left), "fooled_of_1000": left.fooled} if left else None, "given": asdict(given),
        "training_step": asdict(step), "checklist": [check._asdict() for check in checks],
        "phrases": account_words.phrases(made, given, say), "kept": str(accounts.file_of(run)),
    }  # fmt: skip


def _told(made: Account, given: Given, step: TrainingStep, say: Wording, checks: list[Check]) -> str:
    words, rows = say.words, account_words.rows(made, given, say)
    lines = [table(["", words("account.purified"), words("account.anew")], rows)]
    lines += [account_words.estimate(made, given, step, say), *account_words.risk(made, say)]
    lines += [f"{'[x]' if check.done else '[ ]'} {check.text}" for check in checks]
    return "\n".join([*lines, *account_words.phrases(made, given, say)])
