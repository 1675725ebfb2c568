"""The worker, in this process: how each kind of ending is written down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.engine import worker
from core.errors import BadInput
from core.events import Event, Failed, Finished, Frame, Progress, Scanned, Steered
from core.jobs import process
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from core.runs.steering import Steering
from core.triggers.kept import KeptTriggers


@pytest.fixture
def run(spec: Spec) -> Run:
    return record.create(spec)


def finishing(run: Run, steering: Steering) -> Iterator[Event]:
    yield Scanned(
        2,
        3.5,
        [None, 9.0, 1.0],
        [0.1, 0.99, 1.0],
        run.write_triggers(KeptTriggers.of([("mask", 2, 1.0, np.zeros((1, 4, 4)), np.zeros((3, 4, 4)))])),
    )
    yield Finished({"target": 2})


def raising(error: BaseException) -> worker.Pipeline:
    def pipeline(run: Run, steering: Steering) -> Iterator[Event]:
        yield Progress("load", 0, 1)
        raise error

    return pipeline


def test_done(run: Run) -> None:
    seen: list[Event] = []
    assert worker.work(run.folder, finishing, seen.append) == "done"
    assert run.status == "done"
    data = run.data
    assert (data["target"], data["result"], data["failure"]) == (2, {"target": 2}, None)
    assert data["worker"]["pid"] == os.getpid()
    assert data["machine"]["cores"] >= 1
    assert data["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert [event for _, event in run.events()] == seen
    assert isinstance(seen[-1], Finished)


def test_features_stay_with_a_run_that_is_done_only_where_they_are_of_every_frame(spec: Spec) -> None:
    for whole in (True, False):
        run = record.create(spec)
        for index in range(2):
            run.write_frame(index, np.zeros((4, 2)), np.zeros(4), np.zeros(4))
            if index or whole:
                run.write_features(index, np.zeros((4, 3), np.float16))
        assert worker.work(run.folder, finishing) == "done"
        assert (run.folder / "features").exists() == whole


def test_it_is_running_while_it_works(run: Run) -> None:
    seen = []
    worker.work(run.folder, finishing, lambda event: seen.append(run.status))
    assert seen == ["running", "running"]


def test_bad_input_is_kept_with_code_and_facts(run: Run) -> None:
    assert worker.work(run.folder, raising(BadInput("budget_too_small", "Too few.", least=12))) == "failed"
    assert run.status == "failed"
    assert run.data["failure"] == {"code": "budget_too_small", "message": "Too few.", "facts": {"least": 12}}
    assert run.events()[-1][1] == Failed("budget_too_small", "Too few.", {"least": 12})


def test_any_other_error_names_itself_and_the_log(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert worker.work(run.folder, raising(ZeroDivisionError("by zero"))) == "failed"
    failure = run.data["failure"]
    assert failure["code"] == "internal"
    assert "ZeroDivisionError: by zero" in failure["message"]
    assert "worker.log" in failure["message"]
    assert "Traceback" in (run.folder / "worker.log").read_text()
    assert capsys.readouterr() == ("", "")


def test_running_out_of_memory_says_what_to_do(run: Run) -> None:
    torch = pytest.importorskip("torch")
    for error, device in (
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), "GPU"),
        (MemoryError(), "computer"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "computer"),
    ):
        worker.work(run.folder, raising(error))
        assert run.data["failure"]["code"] == "out_of_memory"
        assert run.data["failure"]["facts"] == {"device": device}
        assert "fewer points" in run.data["failure"]["message"]
        assert "--set batch=32" in run.data["failure"]["message"]


def test_a_full_disk_is_named(run: Run) -> None:
    worker.work(run.folder, raising(OSError(28, "No space left on device")))
    assert run.data["failure"]["code"] == "disk_full"


def test_a_pipeline_without_a_result_has_failed(run: Run) -> None:
    assert worker.work(run.folder, lambda run, steering: iter([Progress("load", 1, 1)])) == "failed"


def test_stop_ends_it_as_stopped(run: Run) -> None:
    def pipeline(run: Run, steering: Steering) -> Iterator[Event]:
        yield Progress("load", 0, 1)
        steering.stop()
        steering.check()
        pytest.fail("it went on")

    assert worker.work(run.folder, pipeline) == "stopped"
    assert run.status == "stopped"
    assert run.events()[-1][1] == Steered("stop")


def test_told_to_stop_before_it_began_it_loads_nothing(run: Run) -> None:
    run.tell("stop")
    assert worker.work(run.folder, lambda run, steering: pytest.fail("it began")) == "stopped"


def test_sigterm_stops_and_the_handler_is_put_back(run: Run) -> None:
    def pipeline(run: Run, steering: Steering) -> Iterator[Event]:
        os.kill(os.getpid(), signal.SIGTERM)
        steering.check()
        yield Finished({})

    before = signal.getsignal(signal.SIGTERM)
    assert worker.work(run.folder, pipeline) == "stopped"
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_is_written_down_and_passed_on(run: Run) -> None:
    with pytest.raises(KeyboardInterrupt):
        worker.work(run.folder, raising(KeyboardInterrupt()))
    assert run.status == "stopped"


def test_a_run_that_is_done_is_left_alone(run: Run) -> None:
    worker.work(run.folder, finishing)
    before = run.data
    with pytest.raises(BadInput) as caught:
        worker.work(run.folder, finishing)
    assert caught.value.code == "run_not_resumable"
    assert run.data == before


def test_a_second_worker_is_refused_and_changes_nothing(run: Run) -> None:
    def pipeline(run: Run, steering: Steering) -> Iterator[Event]:
        before = run.data
        with pytest.raises(BadInput) as caught:
            worker.work(run.folder, lambda run, steering: pytest.fail("two at work"), patience=0)
        assert caught.value.code == "run_already_running"
        assert run.data == before
        yield Finished({})

    assert worker.work(run.folder, pipeline) == "done"


def test_a_resumed_run_goes_on_and_so_does_its_clock(run: Run, tmp_path: Path) -> None:
    (run.folder / "events.jsonl").write_bytes(b'{"t": 100, "type": "steered", "action": "pause"}\n{"t": 101, "ty')
    leftover = run.folder / ".run.json.tmp-12345678"
    leftover.write_text("half")
    run.update(status="failed", failure={"code": "x", "message": "", "facts": {}})
    assert worker.work(run.folder, finishing) == "done"
    times = [t for t, _ in run.events()]
    assert len(times) == 3
    assert 100 <= times[1] < 160
    assert run.data["failure"] is None
    assert not leftover.exists()


def test_time_paused_is_left_out_of_the_events_times(run: Run) -> None:
    def pipeline(run: Run, steering: Steering) -> Iterator[Event]:
        yield Progress("load", 0, 1)
        steering.paused_seconds += 1e-9
        yield Finished({})

    worker.work(run.folder, pipeline)
    times = [t for t, _ in run.events()]
    assert times == sorted(times)


def test_frames_are_in_place_before_their_event(run: Run) -> None:
    def pipeline(run: Run, steering: Steering) -> Iterator[Event]:
        yield Frame(0, 0, run.write_frame(0, np.zeros((3, 2)), [0] * 3, [9] * 3), 1.0, 2.0, "true", 3.0, 0.9)
        yield Finished({})

    seen = []
    worker.work(run.folder, pipeline, lambda event: seen.append(run.frame_count))
    assert seen == [1, 1]


def test_as_a_process_a_missing_run_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "core", "work", str(tmp_path / "gone")],
        cwd=Path(process.__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"There is no run {tmp_path / 'gone'}" in done.stderr
    assert "Traceback" not in done.stderr
