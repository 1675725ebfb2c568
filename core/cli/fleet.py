"""``fleet``: many models scanned, ranked by risk, and those that need it purified."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from core import paths
from core.cli.options import DONE, EXIT_CODES, INTERRUPTED, NOT_HELD, add_device, add_json, add_seed
from core.cli.terminal import CountBar, table, terminated_like_interrupted
from core.data import IMAGE_SETS
from core.files import strict_json
from core.fleet import listing, page, place, seen
from core.fleet import table as tables
from core.fleet.engines import ADDRESS, ENGINES, LOCAL, engine
from core.fleet.make import Fleet
from core.fleet.place import Order, Standing
from core.fleet.rows import Row, counts
from core.report import pdf
from core.runs.spec import Spec
from core.words import LANGUAGES, Words, clock

SHOWN = 30  # rows of the printed table; the CSV has all
WIDEST = 48  # characters of a file's name in the printed table
STAGES = {"scan": "Scanning", "purify": "Purifying"}


def fleet_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core fleet models/ --images photos/\n"
        "  python -m core fleet models.csv --purify --workers 2 --json | tail -1\n"
        "  python -m core fleet models/ --images digits --out fleet --lang ja --pdf\n"
        "  python -m core fleet models/ --images photos/ --engine dask --engine-address tcp://10.0.0.5:8786\n"
        "A CSV has the columns weights and images, and if wanted owner, use and exposure (1 to 5: what a wrong answer\n"
        "costs; left out it counts as 5). Its paths are meant from the CSV's own folder. The risk, 0 to 100, is\n"
        "evidence x exposure: a rule for an order, no probability. OUT gets fleet.csv, fleet.json, fleet.html and a\n"
        "folder for each run, which the dashboard opens. Ctrl-C stops it; the same command goes on where it stopped,\n"
        "and a model seen before (same file, images, version and settings) is not looked at twice.\n\n" + EXIT_CODES
    )
    command.add_argument(
        "models", type=Path, metavar="MODELS", help="a folder of checkpoints, searched to its depth, or a CSV"
    )
    command.add_argument(
        "--images", metavar="DIR_OR_NPZ",
        help=f"labelled clean images of all models: a folder, an .npz, or {', '.join(IMAGE_SETS)}; not needed with a "
        "CSV that names them",
    )  # fmt: skip
    command.add_argument(
        "--out", type=Path, metavar="FLEET", help="folder for the fleet; else fleets/NAME in your Dissolve home"
    )
    command.add_argument("--purify", action="store_true", help="go on with the models that show signs of a backdoor")
    command.add_argument(
        "--workers", type=int, metavar="N",
        help="models that are worked on at once, each with its share of the cores (default: half as many as cores)",
    )  # fmt: skip
    command.add_argument(
        "--engine", default=LOCAL, metavar="NAME",
        help="where: " + "; ".join(f"{name}, {where}" for name, (_, where) in ENGINES.items()),
    )  # fmt: skip
    command.add_argument(
        "--engine-address", default="", metavar="ADDRESS",
        help=f"of a cluster that is there already, tcp://HOST:8786 for dask, else ${ADDRESS}. Whoever reaches a "
        "cluster can compute on it: keep it on your own network",
    )  # fmt: skip
    command.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the summary")
    command.add_argument("--pdf", action="store_true", help="write the summary as PDF too")
    add_seed(command, "of everything that is drawn at random")
    add_device(command)
    command.add_argument("--note", type=Path, help=argparse.SUPPRESS)  # a job's note, for the page
    add_json(command)


def fleet(arguments: argparse.Namespace) -> int:
    """Exit status 3 where a purification handed nothing out; models that cannot be read change nothing about it."""
    if arguments.note is None:
        return _fleet(arguments)
    from core.jobs.note import told

    with told(arguments.note):
        return _fleet(arguments)


def _fleet(arguments: argparse.Namespace) -> int:
    folder = paths.absolute(arguments.out or place.default(arguments.models))
    entries = listing.read(arguments.models, arguments.images or "", beside=[folder])
    order = Order(
        str(paths.absolute(arguments.models)),
        listing.images_at(arguments.images or ""),
        arguments.seed,
        arguments.device,
    )
    hashes = seen.Hashes(folder / place.STAMPS)
    _check(order, entries[0], hashes)
    if arguments.pdf:  # before hours are spent
        pdf.require_browser()
    at = engine(arguments.engine, arguments.workers, arguments.engine_address, arguments.device)
    with place.opened(folder, order), _Bars() as bars, terminated_like_interrupted():
        try:
            standing = Fleet(folder, order, entries, at, hashes, bars).work(arguments.purify)
        except KeyboardInterrupt:
            print(f"Stopped. The fleet is in {folder}; the same command goes on with it.", file=sys.stderr)
            return INTERRUPTED
        written = _write(standing, folder, arguments)
    print(strict_json(tables.told(standing, folder)) if arguments.json else summary(standing, written))
    withheld = any(row.handed_out is False for row in standing.models)
    return NOT_HELD if arguments.purify and withheld else DONE


def _check(order: Order, first: listing.Entry, hashes: seen.Hashes) -> None:
    """Reports what is wrong with all models alike, before any work begins.

    Raises:
        BadInput: ``images_not_found``, ``bad_seed``, ``unknown_device``; as ``core.data.layout.layout``.
    """
    spec = Spec(weights=first.weights, images=first.images, seed=order.seed, device=order.device)
    for mistake in spec.mistakes():
        if mistake.code in ("bad_seed", "unknown_device"):
            raise mistake
    if order.images:
        hashes.images(order.images)


class _Bars:
    """One bar for each stage."""

    def __init__(self) -> None:
        self._stage, self._bar = "", contextlib.ExitStack()

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._bar.close()
            self._stage, self._count = stage, self._bar.enter_context(CountBar(STAGES[stage], "model"))
        self._count(done, total)


def _write(standing: Standing, folder: Path, arguments: argparse.Namespace) -> list[Path]:
    """The table and the summary; their places."""
    tables.write_csv(standing.models, folder / "fleet.csv")
    html = page.write(standing, folder, arguments.lang)
    printed = [pdf.write(html.read_text(encoding="utf-8"), folder / "fleet.pdf")] if arguments.pdf else []
    return [folder / "fleet.csv", html, *printed]


def summary(standing: Standing, written: list[Path]) -> str:
    """The ranking for people."""
    rows, words = standing.models, Words("en")
    found = counts(rows)
    lines = [table(("rank", "risk", "model", "verdict", "class", "accuracy, %", "cure", "next"), [
        _line(number, row, words) for number, row in enumerate(rows[:SHOWN], 1)
    ])]  # fmt: skip
    if len(rows) > SHOWN:
        lines.append(f"... and {len(rows) - SHOWN} more in {written[0]}")
    lines.append(
        f"{found['total']} models: {found['strong']} with strong signs, {found['some']} with some, {found['none']} "
        f"without a sign of the kinds covered, {found['error']} that could not be looked at."
    )
    lines += [f"{row.file}: {row.error}" for row in rows if row.error][:SHOWN]
    lines += [f"{row.file}, purification: {row.cure_error}" for row in rows if row.cure_error][:SHOWN]
    workers = "1 worker" if standing.workers == 1 else f"{standing.workers} workers"
    lines.append(f"Took {clock(standing.seconds)} with {workers}.")
    return "\n".join([*lines, *map(str, written)])


def _line(number: int, row: Row, words: Words) -> list[Any]:
    name = row.file if len(row.file) <= WIDEST else f"...{row.file[3 - WIDEST :]}"
    target = "-" if row.target is None else f"{row.target} ({row.target_name})"
    cost = "" if row.step_seconds is None else f", {clock(row.step_seconds)}"
    return [
        number, "-" if row.risk is None else f"{row.risk:.1f}", name,
        "not read" if row.error else words(f"verdict.short.{row.verdict}") if row.verdict else "-", target,
        "-" if row.ba is None else f"{row.ba:.1f}", words(f"cure.short.{row.cure}") if row.cure else "-",
        words(f"fleet.step.{row.step}") + cost,
    ]  # fmt: skip
