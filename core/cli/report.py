"""``report``: what a run found, on one page to take away; of a purification with its account."""

from __future__ import annotations

import argparse
from pathlib import Path

from core import report as page
from core.cli.options import add_json
from core.files import strict_json
from core.report import pdf
from core.report.advice import figures
from core.rollout.wording import in_use
from core.runs import hashes
from core.runs.record import find
from core.words import LANGUAGES, Words


def report_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core report last\n"
        "  python -m core report signs-badnets --lang ja --pdf --out .     a shipped recording\n"
        "  python -m core report last --json | tail -1                     the recommendation, for a program\n"
        "Any run has a report, one that goes on or failed too: it says how things stand. That of a purification has a\n"
        "second sheet, its account, with what was given and measured for it (account --help). The HTML file needs no\n"
        "network and no other file. --pdf prints it with the Chromium, Chrome or Edge of this computer\n"
        "($DISSOLVE_BROWSER names another one)."
    )
    command.add_argument("run", metavar="RUN", help="id, folder, or last")
    command.add_argument(
        "--out", type=Path, metavar="DIR",
        help="folder for the report; else the run's own, and for a recording the folder reports of your home",
    )  # fmt: skip
    command.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the report")
    command.add_argument("--pdf", action="store_true", help="write a PDF beside the HTML file")
    add_json(command)


def report(arguments: argparse.Namespace) -> int:
    run = find(arguments.run)
    hashes.check_report(run)
    folder = arguments.out or page.folder_of(run)
    written = page.write(run, arguments.lang, folder, in_use(run, Words(arguments.lang)))
    printed = None
    if arguments.pdf:
        content = written.read_text(encoding="utf-8")
        printed = pdf.write(content, folder / page.file_name(arguments.lang, "pdf"))
    if arguments.json:
        facts = page.gather(run)
        result = {"run": run.id, "status": facts.status, "verdict": facts.grade} | figures(facts)
        print(strict_json(result | {"html": str(written), "pdf": str(printed) if printed else None}))
        return 0
    say = page.wording(run, arguments.lang)
    print(say.verdict())
    if cure := say.cure():
        print(f"{say('cure.name')}: {cure[0]}")
    print(f"{say('report.choice.title')} {say.recommendation()}")
    for path in (written, printed):
        if path is not None:
            print(path)
    return 0
