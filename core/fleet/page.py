"""The summary of a fleet: one sheet to read, send or print, in the style of a run's report. No script, no request."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

from core import paths
from core.fleet.place import Standing, picture_of
from core.fleet.rows import Row, counts
from core.report.files import save
from core.report.markup import Markup, el
from core.report.page import POLICY
from core.words import Words

SHOWN_MODELS = 14  # on the sheet at most, those of the highest risk
NAMED_FAULTS = 5  # models that could not be scanned, at most, that are named
FILE = "fleet.html"
STYLES = (Path(__file__).parents[1] / "report" / "style.css", Path(__file__).with_name("style.css"))


def write(standing: Standing, folder: Path, language: str) -> Path:
    """Writes ``fleet.html`` into the fleet's folder and returns its path.

    Raises:
        BadInput: ``report_not_written``.
    """
    return save(folder / FILE, build(standing, folder, Words(language)).encode())


def build(
    standing: Standing, folder: Path, words: Words, told: Callable[[Row], str] = lambda row: str(row.error)
) -> str:
    """The whole file as text.

    Args:
        folder: of the fleet, whose runs have the triggers.
        words: of the reader's language.
        told: why a model could not be looked at; the engine's own sentence, which is English, by default.
    """
    title = words("fleet.report.title")
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", f"{title}: {folder.name}"),
        el("style", Markup("".join(path.read_text(encoding="utf-8") for path in STYLES))),
    )
    main = el(
        "main",
        _header(standing, folder, words),
        _lead(standing, words),
        _ranking(standing.models, folder, words),
        _unread(standing.models, words, told),
        _notes(words),
        el("footer", words("report.footer")),
    )
    return f"<!DOCTYPE html>\n{el('html', head, el('body', main), lang=words.language)}\n"


def _header(standing: Standing, folder: Path, words: Words) -> Markup:
    spent = words(
        "fleet.report.spent", time=words.duration(standing.seconds), workers=words.count(standing.workers)
    )  # fmt: skip
    machine = standing.machine.get("gpu") or standing.machine.get("cpu") or ""
    lines = [words.when(standing.created), spent, str(machine)]
    return el(
        "header",
        Markup((paths.ASSETS / "logo.svg").read_text(encoding="utf-8")),
        el("div", el("p", words("fleet.report.title"), cls="kind"), el("p", folder.name, cls="model")),
        el("p", *(el("span", line) for line in lines if line), cls="small"),
    )


def _lead(standing: Standing, words: Words) -> Markup:
    """How many of what, in figures, and what is to be done about them."""
    found = counts(standing.models)
    figures = [
        el("div", el("b", words.count(found[name])), el("span", words(f"fleet.count.{name}")), cls=name)
        for name in ("total", "strong", "some", "none", "error")
    ]
    return el(
        "section",
        el("h1", headline(standing.models, words)),
        el("div", *figures, cls="counts"),
        el("p", words.joined(outlook(standing.models, words))),
        cls="fleet-lead",
    )


def headline(rows: Sequence[Row], words: Words) -> str:
    """What the fleet comes to, in a sentence."""
    found = counts(rows)
    signs = found["strong"] + found["some"]
    if found["ended"] < found["total"]:
        return words("fleet.head.going", done=words.count(found["ended"]), total=words.count(found["total"]))
    if signs == 0:
        return words("fleet.head.none", total=words.count(found["total"] - found["error"]))
    return words("fleet.head.signs", signs=words.count(signs), total=words.count(found["total"]))


def outlook(rows: Sequence[Row], words: Words) -> list[str]:
    """What was purified, what is left to be, and how long that takes; what was not looked at. Sentences."""
    found = counts(rows)
    said = []
    if graded := found["holds"] + found["doubt"] + found["failed"]:
        said.append(
            words(
                "fleet.outlook.cured", graded=words.count(graded), holds=words.count(found["holds"]),
                doubt=words.count(found["doubt"]), failed=words.count(found["failed"]),
            )
        )  # fmt: skip
    if left := [row for row in rows if row.step in ("purify", "again")]:
        seconds = sum(row.step_seconds or 0.0 for row in left)
        said.append(words("fleet.outlook.left", count=words.count(len(left)), time=words.duration(seconds)))
    if found["error"]:
        said.append(words("fleet.outlook.error", count=words.count(found["error"])))
    return said


def _ranking(rows: Sequence[Row], folder: Path, words: Words) -> Markup:
    judged = [(number, row) for number, row in enumerate(rows, 1) if row.risk is not None]
    shown = judged[:SHOWN_MODELS]
    if not shown:
        return Markup("")
    names = ("rank", "picture", "model", "verdict", "ba", "asr", "risk", "next")
    head = el("tr", *(el("th", words(f"fleet.column.{name}"), scope="col", cls=f"c-{name}") for name in names))
    body = [_line(number, row, folder, words) for number, row in shown]
    rest = len(judged) - len(shown)
    return el(
        "section",
        el("h2", words("fleet.report.ranking")),
        el("table", el("thead", head), el("tbody", *body), cls="ranking"),
        el("p", words("fleet.report.rest", count=words.count(rest)), cls="small") if rest else None,
    )


def _line(number: int, row: Row, folder: Path, words: Words) -> Markup:
    about = " · ".join(filter(None, (row.owner, row.use, exposure(row, words))))
    shown = picture(folder, row)
    dash = "–"
    return el(
        "tr",
        el("td", str(number), cls="c-rank"),
        el("td", el("img", src=shown, alt=words("fleet.column.picture")) if shown else dash, cls="c-picture"),
        el("th", row.file, el("small", about) if about else None, scope="row"),
        el("td", verdict(row, words), el("small", target(row, words)) if row.signs else None, cls="c-verdict"),
        el("td", words.percent(row.ba), el("small", f"→ {words.percent(row.ba_after)}") if row.cure else None),
        el(
            "td", words.percent(row.asr_before) if row.signs else dash,
            el("small", f"→ {words.percent(row.asr_after)}") if row.cure else None,
        ),
        el("td", el("b", f"{row.risk:.0f}"), _bar(row.risk or 0.0), cls="c-risk"),
        el("td", next_step(row, words), cls="c-next"),
    )  # fmt: skip


def _bar(value: float) -> Markup:
    """A risk, 0-100, as a bar; the figure beside it says the same."""
    track = el("rect", width="100", height="6", fill="#e3e8ec")
    filled = el("rect", width=value, height="6", fill="#b34e00")
    return el("svg", track, filled, viewBox="0 0 100 6", aria_hidden="true")


def picture(folder: Path, row: Row) -> str | None:
    """The reconstructed trigger of a model with signs, as a data URI; None where there is none."""
    if not (row.signs and row.run):
        return None
    try:
        content = picture_of(folder, row.run).read_bytes()
    except OSError:
        return None
    return "data:image/png;base64," + base64.b64encode(content).decode()


def verdict(row: Row, words: Words) -> str:
    """The verdict in two words, or why there is none."""
    if row.error:
        return words("fleet.verdict.error")
    if row.verdict is None:
        return words("fleet.verdict.wait")
    return words("fleet.verdict.caution" if row.caution else f"verdict.short.{row.verdict}")


def exposure(row: Row, words: Words) -> str:
    return "" if row.exposure is None else words("fleet.exposure", value=row.exposure)


def next_step(row: Row, words: Words) -> str:
    """What to do next, and how long that takes."""
    said = words(f"fleet.step.{row.step}")
    if row.step_seconds is None:
        return said
    return words("fleet.step.takes", step=said, time=words.duration(row.step_seconds))


def target(row: Row, words: Words) -> str:
    """The class that the signs point to, by number and name."""
    name = words.name(f"class.{row.images}", str(row.target_name))
    return words("fleet.target", number=row.target, name=name)


def _unread(rows: Sequence[Row], words: Words, why: Callable[[Row], str]) -> Markup | None:
    faults = [row for row in rows if row.error]
    if not faults:
        return None
    entries = [el("li", el("b", row.file), " ", why(row)) for row in faults[:NAMED_FAULTS]]
    rest = len(faults) - NAMED_FAULTS
    if rest > 0:
        entries.append(el("li", words("fleet.report.rest", count=words.count(rest))))
    return el("section", el("h2", words("fleet.report.unread")), el("ul", *entries, cls="small"))


def _notes(words: Words) -> Markup:
    keys = ["risk", "exposure", "asr", "covers", "cost"]
    return el(
        "section",
        el("h2", words("fleet.report.notes")),
        el("ul", *(el("li", words(f"fleet.note.{key}")) for key in keys), cls="small"),
    )
