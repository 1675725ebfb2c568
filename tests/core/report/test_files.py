from __future__ import annotations

from pathlib import Path

import pytest

from core import report
from core.errors import BadInput
from core.report import files, pdf
from tests.core.report.conftest import PRINTED, Make, stand_in


def test_a_report_is_saved_into_a_folder_that_need_not_be_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    assert files.save(path, b"one") == path
    assert files.save(path, b"two").read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_page_and_pdf_are_saved_in_the_same_way(
    make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DISSOLVE_BROWSER", str(stand_in(tmp_path / "bin", PRINTED)))
    told = []
    for act in (
        lambda: report.write(make_run(), folder=tmp_path / "file"),
        lambda: pdf.write("", tmp_path / "file" / "report.pdf"),
    ):
        with pytest.raises(BadInput) as caught:
            act()
        told.append((caught.value.code, caught.value.message.replace("report.pdf", "report.html")))
    assert told[0] == told[1]
    assert told[0][0] == "report_not_written"
