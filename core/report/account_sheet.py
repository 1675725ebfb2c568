"""The second sheet of a report: what a purification took, what training anew would take, what risk is left."""

from __future__ import annotations

from collections.abc import Sequence

from core.report import account_words
from core.report.account import account, kept
from core.report.account_words import Check
from core.report.markup import Markup, el
from core.report.sections import section
from core.report.wording import Wording
from core.runs.record import Run


def account_sheet(run: Run, say: Wording, used: Sequence[Check] = ()) -> Markup | None:
    """The account with what was given and measured for it so far; None where nothing was purified.

    Args:
        used: points of the checklist that are done in use.

    Raises:
        BadInput: ``account_unreadable``.
    """
    if not say.facts.purified:
        return None
    given, step = kept(run)
    made = account(say.facts, given, step)
    rows = [
        el("tr", el("th", name, scope="row"), *(el("td", el("b", cell)) for cell in cells))
        for name, *cells in account_words.rows(made, given, say)
    ]
    heads = [el("th", say(f"account.{way}"), scope="col") for way in ("purified", "anew")]
    phrases = account_words.phrases(made, given, say)
    return el(
        "section",
        el("h2", say("report.account"), cls="model"),
        el("p", " · ".join((say.model, say("report.run", run=say.facts.id))), cls="small"),
        el("table", el("thead", el("tr", el("th"), *heads)), el("tbody", *rows), cls="figures"),
        el("p", account_words.estimate(made, given, step, say), cls="small"),
        section(say("account.risk"), el("ul", *(el("li", said) for said in account_words.risk(made, say)))),
        section(
            say("account.checklist"), el("ul", *map(_point, (*account_words.checklist(made, say), *used)), cls="boxes")
        ),
        section(say("report.say"), el("ul", *(el("li", said) for said in phrases), cls="said")) if phrases else None,
        cls="account",
    )


def _point(check: Check) -> Markup:
    return el("li", check.text, cls="done" if check.done else None)
