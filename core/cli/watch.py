"""``watch``: a guard over a folder that images arrive in."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import paths
from core.cli.options import DONE, EXIT_CODES, INTERRUPTED, add_json, seconds
from core.cli.terminal import CountBar, table, terminated_like_interrupted
from core.cli.watch_alerts import acknowledge_alert, list_alerts, not_sent
from core.errors import BadInput
from core.files import require_room, strict_json
from core.runs.record import Run, find
from core.watch import place
from core.watch.alerts import RULES, Alert, class_names, read_rules, sentence
from core.watch.inbox import Inbox
from core.watch.sending import SEND, Sender, notifier
from core.words import LANGUAGES, Words

if TYPE_CHECKING:
    from core.watch.alerts import Rule
    from core.watch.metrics import Metrics
    from core.watch.model_file import ModelFile
    from core.watch.source import Source
    from core.watch.watcher import Watcher

LATEST = 100  # flagged images, broken files and alerts that an endless watch lists when it is ended
SEND_SECONDS = 10.0  # seconds that the end of a watch waits for alerts to be sent


def watch_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core watch last --inbox camera/ --once          look at what is there, and end\n"
        "  python -m core watch signs-badnets --inbox camera/        until Ctrl-C\n"
        "  read -rs DISSOLVE_SEND && export DISSOLVE_SEND            mailto://user:password@example.org, not shown\n"
        "  python -m core watch last --inbox camera/                 sends alerts there\n"
        "  python -m core watch last --alerts                        the alerts so far\n"
        "  python -m core watch last --acknowledge 41-alike\n"
        "  python -m core watch last --inbox camera/ --metrics 9108  figures at 127.0.0.1:9108/metrics\n"
        "Watched is the purified model if the run handed one out, else the victim. The first watch makes a profile\n"
        "from the run's clean budget; it and the logs lie in RUN/watch. No image is moved, changed or deleted.\n"
        "Alerts are sent once, also where the watch is killed. If the machine goes down while one is sent, it may\n"
        "come again, under the same title, which names run, inbox, alert and moment.\n\n" + EXIT_CODES
    )
    command.add_argument("run", metavar="RUN", help="id, folder, or last; a run that is done, or a recording")
    command.add_argument("--inbox", type=Path, metavar="DIR", help="folder that images arrive in")
    command.add_argument("--once", action="store_true", help="look at what is there, and end")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--purified", dest="which", action="store_const", const="purified", help="the purified model")
    which.add_argument("--victim", dest="which", action="store_const", const="victim", help="the model as it came")
    command.add_argument("--every", type=seconds, default=1.0, metavar="S", help="seconds between two looks")
    command.add_argument(
        "--check-every", type=seconds, default=10.0, metavar="MIN",
        help="minutes between two looks at the model's file; a changed one is scanned anew",
    )  # fmt: skip
    command.add_argument(
        "--rules", type=Path, metavar="FILE", help="when to ring: a JSON list (what, threshold, window, quiet)"
    )
    command.add_argument(
        "--send", metavar="URL",
        help="send alerts there, by apprise, else to $DISSOLVE_SEND; nothing is sent without either. A password in an "
        "argument is seen by every user of the machine and kept in the shell's history: use the variable"
    )  # fmt: skip
    command.add_argument(
        "--metrics", type=_address, metavar="PORT",
        help="serve figures for Prometheus there, to this machine alone; to others with HOST:PORT, such as 0.0.0.0:9108"
    )  # fmt: skip
    command.add_argument("--language", choices=LANGUAGES, default="en", help="of the alerts")
    command.add_argument("--alerts", action="store_true", help="list the alerts so far, and end; of --inbox if given")
    command.add_argument("--acknowledge", metavar="ID", help="mark an alert as seen to, and end; of --inbox if given")
    command.add_argument("--note", action="store_true", help=argparse.SUPPRESS)  # a job's note, for the page
    add_json(command)


def _address(text: str) -> tuple[str, int]:
    from core.watch.metrics import address

    try:
        return address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, and no HOST:PORT") from None


def watch(arguments: argparse.Namespace) -> int:
    """Watches, or lists or acknowledges alerts."""
    run = find(arguments.run)
    if arguments.acknowledge is not None:
        return acknowledge_alert(run, arguments)
    if arguments.alerts:
        return list_alerts(run, arguments)
    if arguments.inbox is None:
        raise BadInput("no_inbox", "No folder to watch is named; give one with --inbox DIR.")
    from core.watch.source import source_of

    rules = read_rules(arguments.rules) if arguments.rules else RULES
    if not rules:
        _say(f"The list of rules in {arguments.rules} is empty: this watch rings for nothing.")
    source = source_of(run, arguments.which)
    inbox = Inbox(paths.expanded(arguments.inbox))
    folder = place.inbox_folder(run, inbox.path)
    require_room(folder)
    if not arguments.note:
        return _visit(run, source, inbox, folder, rules, arguments, lambda stage, done, total: None)
    from core.jobs.note import told

    with told(folder / place.JOB) as report:
        return _visit(run, source, inbox, folder, rules, arguments, report)


def _visit(
    run: Run, source: Source, inbox: Inbox, folder: Path, rules: Sequence[Rule], arguments: argparse.Namespace,
    report: Callable[[str, float, float], None],
) -> int:  # fmt: skip
    """One watch, from the profile to the last alert.

    Args:
        report: is told how far the profile is, and that the watch has begun.
    """
    sender = _sender(run, folder, arguments)
    from core.watch.model_file import ModelFile  # torch from here on

    words = Words(arguments.language)
    with CountBar("Profile") as bar:

        def progress(done: int, total: int) -> None:
            bar(done, total)
            report("profile", done, total)

        model = ModelFile(source, progress)
    classes = class_names(run.spec.images, words, model.profile.classes)
    from core.watch.watcher import Watcher

    def ring(alert: Alert) -> None:
        text = sentence(alert, words, classes)
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)
        if sender:
            sender.wake()

    watcher = Watcher(
        model.guard,
        inbox,
        folder,
        model=model.sha256,
        rules=rules,
        say=_say,
        on_alert=ring,
        sends=sender is not None,
        most=None if arguments.once else LATEST,
    )
    metrics = _metrics(watcher, run, inbox, arguments)
    _say(f"Watching {inbox.path} with the {source.which} model of {run.id} ({source.file}).")
    report("watch", 0, 0)
    try:
        with terminated_like_interrupted():
            code = _watch(watcher, model, arguments, sender)
    finally:
        if metrics:
            metrics.close()
        watcher.close()
        inbox.close()
        if sender:
            sender.close(SEND_SECONDS)
    if left := not_sent(folder):
        _say(left)
    result = _result(watcher, model, folder)
    print(strict_json(result) if arguments.json else _summary(watcher, words))
    return code


def _metrics(watcher: Watcher, run: Run, inbox: Inbox, arguments: argparse.Namespace) -> Metrics | None:
    if arguments.metrics is None:
        return None
    from core.watch.metrics import Metrics

    try:
        served = Metrics(watcher, {"run": run.id, "inbox": str(inbox.path)}, arguments.metrics)
    except BadInput:
        watcher.close()
        raise
    _say(f"Figures for Prometheus: {served.url}")
    return served


def _watch(watcher: Watcher, model: ModelFile, arguments: argparse.Namespace, sender: Sender | None) -> int:
    """Looks once, or until Ctrl-C."""
    model.check(watcher, wait=arguments.once)
    with CountBar("Looking", "image") as bar:
        watcher.look(bar)
    watcher.compare()
    if arguments.once:
        return DONE
    checked = time.monotonic()
    try:
        while True:
            time.sleep(arguments.every)
            watcher.look()
            if time.monotonic() - checked >= 60 * arguments.check_every:
                checked = time.monotonic()
                model.check(watcher)
            model.report(watcher)
            if sender:
                sender.revive()
    except KeyboardInterrupt:
        watcher.compare()
        return INTERRUPTED


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _sender(run: Run, folder: Path, arguments: argparse.Namespace) -> Sender | None:
    """What sends the alerts, those that a watch before this one left among them; None where none are to be sent.

    Raises:
        BadInput: as ``core.watch.sending.notifier``.
    """
    url = arguments.send or os.environ.get(SEND)
    if not url:
        return None
    notifier(url)  # says now what is wrong with it
    return Sender(url, folder, run.id, run.spec.images, arguments.language)


def _result(watcher: Watcher, model: ModelFile, folder: Path) -> dict[str, Any]:
    """The one JSON object of ``--json``."""
    tally, profile = watcher.tally, model.profile
    english = Words("en")
    alerts = [{**asdict(one), "sentence": sentence(one, english, profile.classes)} for one in tally.alerts]
    return {
        "images": tally.images, "flagged": list(tally.flagged), "alerts": alerts,
        "counts": {name: tally.counts[name] for name in ("flagged", "unreadable", "alerts")},
        "drift": {name: asdict(shift) for name, shift in tally.drift.items()},
        "unreadable": list(tally.unreadable), "waiting": tally.waiting, "model": profile.which,
        "file": str(model.source.file), "sha256": model.sha256,
        "detectors": list(profile.detectors), "rate": profile.rate, "out": str(folder),
    }  # fmt: skip


def _summary(watcher: Watcher, words: Words) -> str:
    tally = watcher.tally
    classes = watcher.guard.profile.classes
    rows = [[one["file"], f"{one['score']:.2f}", one["why"], classes[one["answer"]]] for one in tally.flagged]
    lines = [table(["flagged", "score", "why", "answered as"], rows)] if rows else []
    moved = [name for name, shift in tally.drift.items() if shift.drifted]
    last = f" (the last {len(rows)} are listed)" if len(rows) < tally.counts["flagged"] else ""
    if tally.drift:
        lines.append(f"Drifted: {', '.join(moved) or 'nothing'}.")
    if tally.waiting:
        lines.append(f"{tally.waiting} files are still being written; they are looked at next time.")
    lines.append(
        f"{tally.images:,} images looked at, {tally.counts['flagged']} flagged{last}, "
        f"{tally.counts['unreadable']} files could not be read, {tally.counts['alerts']} alerts."
    )
    return "\n".join(lines)
