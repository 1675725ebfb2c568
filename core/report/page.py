"""The report as one HTML file: no request to anywhere, no script, fonts of the system. In print it
is one sheet of A4, and a second one with the account of a purification."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core import paths
from core.errors import BadInput
from core.report import looks, sections
from core.report.account_sheet import account_sheet
from core.report.account_words import Check
from core.report.cure import cure
from core.report.facts import Facts
from core.report.markup import Markup, el
from core.report.particulars import particulars
from core.report.wording import Wording
from core.runs.record import Run
from core.words import Words

# Second line of defence, should a sentence ever not be escaped: browsers then load and run nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def build(run: Run, facts: Facts, words: Words, used: Sequence[Check] = ()) -> str:
    """The whole file as text; ``used`` as in ``core.report.html``."""
    say = Wording(facts, words)
    title = f"{say('report.title')}: {say.model}"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("style", Markup(_file("style.css"))),
    )
    body = el(
        "body",
        el(
            "main",
            _header(say),
            sections.first(say),
            sections.finding(say),
            el("div", sections.figures(say), _found(run, say), cls="row two"),
            cure(say),
            _seen(run, say),
            el("div", sections.decide(say), sections.ask(say), cls="row two"),
            el("div", sections.steps(say), sections.phrases(say), cls="row two"),
            particulars(say),
            _account(run, say, used),
            el("footer", say("report.footer")),
        ),
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang=words.language)}\n"


def _header(say: Wording) -> Markup:
    facts = say.facts
    when = say.words.when(facts.created)
    method = "" if facts.spec.scan_only else say.method  # the state says so
    lines = [say("report.run", run=facts.id), " · ".join(filter(None, (when, method))), *say.state()]
    return el(
        "header",
        Markup((paths.ASSETS / "logo.svg").read_text(encoding="utf-8")),
        el(
            "div",
            el("p", say("report.title"), cls="kind"),
            el("p", say.model, cls="model"),
        ),
        el("p", *(el("span", line) for line in lines if line), cls="small"),
    )


def _found(run: Run, say: Wording) -> Markup:
    """Beside the figures: the trigger, the sizes it was found by, and what the finding does not say."""
    found = el("div", sections.trigger(run, say), sections.sizes(say), cls="row found")
    return el("div", found, sections.limits(say))


def _seen(run: Run, say: Wording) -> Markup:
    """The feature map, and beside it what the network looks at, where the run keeps that."""
    seen, maps = looks.section(run, say), sections.maps(run, say)
    return maps if seen is None else el("div", maps, seen, cls="row seen")


def _account(run: Run, say: Wording, used: Sequence[Check]) -> Markup | None:
    """The second sheet, or the sentence that it cannot be made: the first one does not depend on it."""
    try:
        return account_sheet(run, say, used)
    except BadInput as fault:
        if fault.code != "account_unreadable":
            raise
        return el("p", say("account.unreadable", path=fault.facts["path"]), cls="small")


def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
