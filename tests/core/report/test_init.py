from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core import paths, report
from core.errors import BadInput
from tests.core.report.conftest import Make


def test_a_report_goes_into_the_runs_folder_under_a_name_of_its_language(make_run: Make) -> None:
    run = make_run()
    assert report.write(run) == run.folder / "report.html"
    assert report.write(run, "ja") == run.folder / "report.ja.html"
    assert report.file_name("ja", "pdf") == "report.ja.pdf"
    assert (run.folder / "report.html").read_text(encoding="utf-8") == report.html(run)


def test_nothing_is_written_into_a_recording(make_run: Make) -> None:
    run = make_run(recording=True)
    path = report.write(run)
    assert path == paths.home() / "reports" / "one" / "report.html"
    assert not (run.folder / "report.html").exists()


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(make_run: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written") as error:
        report.write(make_run(), folder=tmp_path / "file" / "below")
    assert error.value.code == "report_not_written"


def test_making_a_report_loads_nothing_heavy(make_run: Make) -> None:
    script = (
        "import sys\nfrom core import report\nfrom core.runs.record import Run\n"
        f"report.html(Run({str(make_run().folder)!r}), 'ja')\n"
        "print(*{'torch', 'torchvision', 'scipy', 'sklearn', 'umap', 'streamlit', 'plotly'} & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
