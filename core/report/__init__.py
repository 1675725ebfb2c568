"""The report of a run: one self-contained HTML file, made from the record, in every language of the project. Light: no
torch.

``html(run, language)`` is the page; ``write`` puts it into a folder, and ``core.report.pdf`` prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path

from core import paths
from core.report.account_words import Check
from core.report.facts import GRADES, Facts, gather
from core.report.files import save
from core.report.wording import Wording
from core.runs import hashes
from core.runs.record import Run
from core.words import Words

__all__ = ["GRADES", "Facts", "Wording", "file_name", "folder_of", "gather", "html", "wording", "write"]


def html(run: Run, language: str = "en", zone: tzinfo | None = None, used: Sequence[Check] = ()) -> str:
    """The report as one HTML file. The same record gives the same text, whenever it is made.

    Args:
        run: any run or recording, however it stands.
        language: one of ``core.words.LANGUAGES``.
        zone: in which the run's date is told; that of this computer by default.
        used: points of the account's checklist that are done in use, of which a run's record knows nothing
            (``core.rollout.wording.in_use``).

    Raises:
        BadInput: as ``Run`` and ``core.runs.hashes.check_report``, whose images are not looked at here.
    """
    from core.report.page import build

    hashes.check_report(run, images=False)
    return build(run, gather(run), Words(language, zone), used)


def wording(run: Run, language: str = "en", zone: tzinfo | None = None) -> Wording:
    """What the report says of a run, as plain sentences: recommendation, reasons, checklist, figures.

    Raises:
        BadInput: as ``Run``.
    """
    return Wording(gather(run), Words(language, zone))


def file_name(language: str, kind: str = "html") -> str:
    """``report.html``, ``report.ja.html``, ``report.pdf`` ..."""
    return f"report.{kind}" if language == "en" else f"report.{language}.{kind}"


def folder_of(run: Run) -> Path:
    """Where a run's report goes: into its folder; that of a recording, which ships as it is, into the user's own."""
    return paths.home() / "reports" / run.folder.name if run.is_recording else run.folder


def write(run: Run, language: str = "en", folder: Path | None = None, used: Sequence[Check] = ()) -> Path:
    """Write the report and return its path.

    Args:
        folder: made if it is not there; ``folder_of(run)`` by default.
        used: as in ``html``.

    Raises:
        BadInput: as ``html``, or ``report_not_written``.
    """
    return save((folder or folder_of(run)) / file_name(language), html(run, language, used=used).encode())
