"""``report``: what a run found, on one page to take away."""

from __future__ import annotations

import argparse

from core import report as page
from core.report import pdf
from core.report.advice import figures
from core.runs import hashes
from core.runs.files import strict_json
from core.runs.record import find


def report(arguments: argparse.Namespace) -> int:
    run = find(arguments.run)
    hashes.check_report(run)
    folder = arguments.out or page.folder_of(run)
    written = page.write(run, arguments.lang, folder)
    printed = None
    if arguments.pdf:
        content = written.read_text(encoding="utf-8")
        printed = pdf.write(content, folder / page.file_name(arguments.lang, "pdf"))
    if arguments.json:
        facts = page.gather(run)
        told = {"run": run.id, "status": facts.status, "verdict": facts.grade} | figures(facts)
        print(strict_json(told | {"html": str(written), "pdf": str(printed) if printed else None}))
        return 0
    say = page.wording(run, arguments.lang)
    print(say.verdict())
    if cure := say.cure():
        print(f"{say('cure.name')}: {cure[0]}")
    print(f"{say('report.choice.title')}: {say.recommendation()}")
    for path in (written, printed):
        if path is not None:
            print(path)
    return 0
