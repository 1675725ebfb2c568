"""Which class the trigger of a page leads to, where the run knows of further ones."""

from __future__ import annotations

from core.report.repeated import further_classes
from core.runs.record import Run
from dashboard import data, i18n
from dashboard.i18n import t
from dashboard.words import reader, target_name


def told(run: Run) -> str:
    """That class, and those that only a new scan of a purified model named; "" where there are none of these."""
    held = run.snapshot().data
    further = further_classes(held.get("result"))
    if not further:
        return ""
    names, of = held.get("classes") or [], data.data_name(run)

    def name(label: int | None) -> str:
        return i18n.unmarked(target_name(of, names, label))

    first = data.measured_target(run, data.digest_of(run))
    return reader().joined(
        [t("named.target", target=name(first)), *(t("named.other", other=name(label)) for label in further)]
    )
