"""The table of a comparison: the model as it came and each method, with one run or with several seeds, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from core.defenses import DEFENCES
from core.events import Measured
from core.report.advice import ASR_LIMIT
from core.report.spread import Spread
from dashboard import i18n
from dashboard.compare_data import Entry, Method, methods
from dashboard.components import compare_figures as figures
from dashboard.components import proof
from dashboard.i18n import t
from dashboard.words import defence_name, duration, percent

SIGNS = {
    "circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "x": "✕", "triangle-down": "▼", "cross": "✚",
    "triangle-left": "◀", "hexagon": "⬢", "pentagon": "⬟",
}  # fmt: skip


def table(entries: Sequence[Entry], before: Measured) -> str:
    """One row for the model as it came and one for each method, as HTML."""
    heads = "".join(
        f'<th scope="col"{f" class={kind}" if kind else ""}>{escape(words)}</th>'
        for words, kind in (
            (i18n.t(f"compare.asr_{before.asr_kind}"), ""),
            (t("cure.name"), "cure"),
            (t("compare.ba"), ""),
            (t("compare.dissolved"), "gap"),
            (t("compare.time"), ""),
            (t("compare.images"), "gap"),
        )
    )
    first = next((entry.curve[0].dissolution for entry in entries if entry.curve), None)
    rows = [
        _row(
            f'<b class="dz-attack" aria-hidden="true">★</b> {escape(t("compare.before"))}',
            before,
            "",
            first,
            "–",
            "–",
            "",
        )
    ]
    for line in methods(entries):
        mark = figures.mark_of(line.defence)
        sign = f'<b style="color:{mark.colour}" aria-hidden="true">{SIGNS[mark.symbol]}</b> '
        rows.append((_line if len(line.entries) == 1 else _several)(sign + _explained(line.defence), line))
    return (
        f'<table class="dz-table dz-compare"><thead><tr><th scope="col">{escape(t("compare.method"))}</th>{heads}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _line(name: str, line: Method) -> str:
    """A method with one run."""
    (entry,) = line.entries
    images = (entry.digest.finished.result if entry.digest.finished else {}).get("clean_images")
    return _row(
        name, entry.digest.after, proof.short(entry.digest), entry.dissolved, _cost(entry),
        "–" if images is None else f"{images:,}", _remark(entry),
    )  # fmt: skip


def _several(name: str, line: Method) -> str:
    """A method with several seeds: means, each with the least and the greatest below it."""
    through = sum(entry.digest.after is not None for entry in line.entries)
    graded = [entry for entry in line.entries if entry.digest.graded]
    holds = sum(entry.digest.proof is not None and entry.digest.proof.cure == "holds" for entry in graded)
    cure = t("compare.holds_in", holds=holds, count=len(graded)) if graded else ""
    counts = [entry.digest.finished.result.get("clean_images") for entry in line.entries if entry.digest.finished]
    remark = t("compare.seeds_mean", count=through)
    if through < len(line.entries):
        remark = t("compare.seeds_done", done=through, count=len(line.entries))
    cells = (
        (_colour(line.asr.mean if line.asr else None), _ends(line.asr), f"<small>{escape(cure)}</small>"),
        ("cure", escape(cure), ""),
        ("dz-clean", _ends(line.ba), ""),
        ("gap", _ends(line.dissolved, digits=0), ""),
        ("", "–" if line.cost is None else escape(duration(line.cost.mean)), ""),
        ("gap", f"{counts[0]:,}" if counts and counts[0] else "–", ""),
    )
    shown = "".join(f'<td class="{kind}">{figure}{more}</td>' for kind, figure, more in cells)
    return f'<tr><th scope="row">{name}<small>{escape(remark)}</small></th>{shown}</tr>'


def _ends(found: Spread | None, digits: int = 1) -> str:
    """The mean, and below it the range."""
    if found is None:
        return "–"
    if found.runs == 1:
        return percent(found.mean, digits)
    return f"{percent(found.mean, digits)}<i>{found.low:.{digits}f}–{found.high:.{digits}f}</i>"


def _explained(defence: str) -> str:
    """A method's name with what it is, its paper and the year, at a hover, a tap or by keyboard."""
    name = defence_name(defence)
    if defence not in DEFENCES:
        return escape(name)
    note = (
        f'<span class="dz-note" role="tooltip"><b>{escape(name)}</b>{escape(i18n.t(f"defence.{defence}.text"))}</span>'
    )
    return f'<span class="dz-term" tabindex="0">{escape(name)}{note}</span>'


def _row(name: str, found: Measured | None, cure: str, mixed: float | None, cost: str, images: str, remark: str) -> str:
    note = f"<small>{escape(remark)}</small>" if remark else ""
    asr, ba = (percent(found.asr), percent(found.ba)) if found else ("–", "–")
    colour = _colour(found.asr if found else None)
    return (
        f'<tr><th scope="row">{name}{note}</th><td class="{colour}">{asr}<small>{escape(cure)}</small></td>'
        f'<td class="cure">{escape(cure)}</td>'
        f'<td class="dz-clean">{ba}</td>'
        f'<td class="gap">{percent(mixed, 0)}</td><td>{escape(cost)}</td><td class="gap">{images}</td></tr>'
    )


def _colour(asr: float | None) -> str:
    """Of an attack success rate in percent: the attack's colour only where the attack still works."""
    return "dz-clean" if asr is not None and asr < ASR_LIMIT else "dz-attack"


def _cost(entry: Entry) -> str:
    return "–" if entry.cost is None else duration(entry.cost)


def _remark(entry: Entry) -> str:
    """What has to be said beside a method's name; of a failure, why."""
    failure = entry.run.data.get("failure")
    if entry.status == "failed" and failure:
        return i18n.error(failure["code"], failure["message"], failure["facts"], markdown=False)
    if entry.status in ("failed", "lost", "stopped", "queued", "running", "paused"):
        return i18n.t(f"status.{entry.status}")
    if entry.digest.finished and entry.digest.finished.result.get("ba_held") is False:
        return t("compare.not_held")
    if proof.is_kept(entry.run, entry.digest):
        return t("compare.not_cured")
    return t("compare.with_scan", time=duration(entry.scan)) if entry.scan else t("compare.no_scan")
