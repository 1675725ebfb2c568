"""Real worker processes: started, steered, killed, resumed, raced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from core.errors import BadInput
from core.events import Finished, Frame, Steered
from core.jobs import process
from core.jobs.spawn import ROOT
from core.runs import file_hashes, record, supervisor
from core.runs.record import Run
from core.runs.spec import Spec
from tests.core.runs.conftest import Until, WorkBy

FRAMES, WAITS_AFTER = 12, 6  # of fake_worker.py


@pytest.fixture
def halfway(spec: Spec, fake_worker: list[Run], until: Until) -> Run:
    """A run whose worker has made half its frames and goes on when there is a file ``finish``."""
    run = supervisor.start(spec)
    fake_worker.append(run)
    until(lambda: frames(run) == list(range(WAITS_AFTER)))
    return run


def frames(run: Run) -> list[int]:
    return [event.index for _, event in run.events() if isinstance(event, Frame)]


def finish(run: Run, until: Until) -> None:
    (run.folder / "finish").touch()
    until(lambda: run.status not in ("queued", "running", "paused"))


def code_of(error: pytest.ExceptionInfo[BadInput]) -> str:
    return error.value.code


def test_a_run_goes_through_to_done(halfway: Run, until: Until) -> None:
    assert halfway.status == "running"
    finish(halfway, until)
    assert halfway.status == "done"
    assert halfway.data["result"] == {"target": 3, "asr_after": 1.0}
    assert frames(halfway) == list(range(FRAMES))


def test_the_worker_has_a_session_of_its_own_and_leaves_no_zombie(halfway: Run, until: Until) -> None:
    pid = halfway.data["worker"]["pid"]
    assert os.getsid(pid) == pid
    finish(halfway, until)
    until(lambda: not psutil.pid_exists(pid))


def test_pause_and_resume(halfway: Run, until: Until) -> None:
    supervisor.pause(halfway)
    until(lambda: halfway.status == "paused")
    supervisor.pause(halfway)
    (halfway.folder / "finish").touch()
    assert halfway.frame_count == WAITS_AFTER
    supervisor.resume(halfway)
    until(lambda: halfway.status == "done")
    actions = [event.action for _, event in halfway.events() if isinstance(event, Steered)]
    assert actions == ["pause", "resume"]


def test_stop_keeps_what_there_is_and_resume_goes_on(halfway: Run, until: Until) -> None:
    supervisor.stop(halfway)
    until(lambda: halfway.status == "stopped")
    assert halfway.frame_count == WAITS_AFTER
    supervisor.resume(halfway)
    finish(halfway, until)
    assert halfway.status == "done"
    assert frames(halfway) == list(range(FRAMES))


def test_a_run_does_not_go_on_with_another_model(halfway: Run, until: Until, tmp_path: Path) -> None:
    supervisor.stop(halfway)
    until(lambda: halfway.status == "stopped")
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"weights")
    data = halfway.data["spec"] | {"victim": None, "weights": str(weights)}
    halfway.update(spec=data, inputs={"weights": file_hashes.of_file(weights)})
    weights.write_bytes(b"another")
    with pytest.raises(BadInput) as refused:
        supervisor.resume(halfway)
    assert code_of(refused) == "weights_changed"
    assert halfway.status == "stopped"
    weights.write_bytes(b"weights")
    supervisor.resume(halfway)
    finish(halfway, until)
    assert halfway.status == "done"


def test_a_paused_run_can_be_stopped(halfway: Run, until: Until) -> None:
    supervisor.pause(halfway)
    until(lambda: halfway.status == "paused")
    supervisor.stop(halfway)
    supervisor.pause(halfway)  # does not undo the stop
    until(lambda: halfway.status == "stopped")


def test_kill_9_loses_no_finished_frame_and_the_run_resumes(halfway: Run, until: Until) -> None:
    first = halfway.data["worker"]
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: halfway.status == "lost")
    with (halfway.folder / "events.jsonl").open("ab") as log:
        log.write(b'{"t": 9.0, "type": "fra')  # killed in the middle of a line
    assert frames(halfway) == list(range(WAITS_AFTER))
    for index in range(halfway.frame_count):
        assert halfway.frame(index).coords[0, 0] == index

    supervisor.resume(halfway)
    finish(halfway, until)
    assert halfway.status == "done"
    assert halfway.data["worker"]["pid"] != first["pid"]
    assert frames(halfway) == list(range(FRAMES))
    assert [type(event) for _, event in halfway.events()].count(Finished) == 1
    assert b"fra\n" not in (halfway.folder / "events.jsonl").read_bytes()


def test_a_number_taken_by_another_process_is_not_our_worker(halfway: Run, until: Until) -> None:
    worker = process.find(halfway.data["worker"])
    assert worker is not None
    worker.kill()
    psutil.wait_procs([worker])
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    past = halfway.data["worker"]["started"] - 3600  # numbers are not used again at once
    halfway.update(worker={"pid": bystander.pid, "started": past})
    assert halfway.status == "lost"
    with pytest.raises(BadInput) as caught:
        supervisor.kill(halfway)
    assert code_of(caught) == "run_not_running"
    assert bystander.poll() is None
    bystander.communicate(b"\n")


def test_kill_lets_a_worker_end_in_order_if_it_can(halfway: Run) -> None:
    worker = process.find(halfway.data["worker"])
    supervisor.kill(halfway, grace=60)
    assert halfway.status == "stopped"
    assert worker is not None
    assert not worker.is_running()
    assert halfway.events()[-1][1] == Steered("stop")


def test_kill_ends_a_worker_that_does_not_react(halfway: Run) -> None:
    worker = process.find(halfway.data["worker"])
    assert worker is not None
    worker.suspend()
    supervisor.kill(halfway, grace=0.1)
    assert halfway.status == "stopped"
    assert not worker.is_running()


def test_of_many_that_resume_one_wins(halfway: Run, until: Until) -> None:
    os.kill(halfway.data["worker"]["pid"], signal.SIGKILL)
    until(lambda: halfway.status == "lost")
    outcomes: list[str] = []

    def resume() -> None:
        try:
            supervisor.resume(halfway)
            outcomes.append("started")
        except BadInput as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=resume) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["run_already_running"] * 5 + ["started"]
    finish(halfway, until)
    assert frames(halfway) == list(range(FRAMES))


def test_of_two_workers_on_one_run_the_second_leaves_it_alone(halfway: Run, until: Until) -> None:
    second = subprocess.run(supervisor.worker_command(halfway), cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode != 0
    assert "already has a worker" in second.stderr
    finish(halfway, until)
    assert frames(halfway) == list(range(FRAMES))
    assert [type(event) for _, event in halfway.events()].count(Finished) == 1


def test_a_reader_beside_the_worker_sees_every_frame_it_is_told_of(halfway: Run, until: Until) -> None:
    (halfway.folder / "finish").touch()
    reader, seen = halfway.reader(), []
    while not seen or seen[-1] != FRAMES - 1:
        for _, event in reader.read():
            if isinstance(event, Frame):
                assert halfway.frame(event.index).coords[0, 0] == event.index
                seen.append(event.index)
    assert seen == list(range(FRAMES))
    until(lambda: halfway.status == "done")


def test_running_runs_are_not_deleted_or_resumed_and_done_ones_not_steered(halfway: Run, until: Until) -> None:
    with pytest.raises(BadInput) as caught:
        supervisor.delete(halfway)
    assert code_of(caught) == "run_still_running"
    with pytest.raises(BadInput) as caught:
        supervisor.resume(halfway)
    assert code_of(caught) == "run_already_running"
    finish(halfway, until)
    for act, code in (
        (supervisor.pause, "run_not_running"),
        (supervisor.stop, "run_not_running"),
        (supervisor.kill, "run_not_running"),
        (supervisor.resume, "run_not_resumable"),
    ):
        with pytest.raises(BadInput) as caught:
            act(halfway)
        assert code_of(caught) == code
    supervisor.delete(halfway)
    assert not halfway.folder.exists()
    assert list(halfway.folder.parent.iterdir()) == []


def test_a_recording_is_neither_deleted_nor_resumed(spec: Spec) -> None:
    run = record.create(spec)
    run.update(recording=True, status="done")
    with pytest.raises(BadInput) as caught:
        supervisor.delete(run)
    assert code_of(caught) == "run_is_recording"
    with pytest.raises(BadInput) as caught:
        supervisor.resume(run)
    assert code_of(caught) == "run_not_resumable"


def test_deleting_a_run_in_a_folder_of_its_own_takes_the_link_along(spec: Spec, tmp_path: Path) -> None:
    run = record.create(spec, folder=tmp_path / "mine")
    run.update(status="stopped")
    supervisor.delete(record.open(run.id))
    assert not (tmp_path / "mine").exists()
    assert list((tmp_path / "home" / "runs").iterdir()) == []


def test_the_worker_stands_in_the_project_and_logs(spec: Spec, work_by: WorkBy, until: Until) -> None:
    script = "import os, sys; print(os.getcwd(), os.environ['DISSOLVE_HOME'], sys.stdin.read() == '')"
    work_by(sys.executable, "-c", script)
    run = supervisor.start(spec)
    log = run.folder / "worker.log"
    until(lambda: log.exists() and log.read_text().endswith("\n"))
    assert log.read_text().split() == [str(ROOT), os.environ["DISSOLVE_HOME"], "True"]


def test_a_worker_is_given_the_threads_it_may_use(
    spec: Spec, work_by: WorkBy, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    script = "import os, sys; open(f'{sys.argv[1]}/threads', 'w').write(os.environ.get('OMP_NUM_THREADS', 'all'))"
    work_by(sys.executable, "-c", script)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for threads, told in ((3, "3"), (None, "7")):
        run = record.create(spec)
        supervisor.spawn(run, threads)
        until(
            lambda run=run, told=told: (
                (run.folder / "threads").exists() and told == (run.folder / "threads").read_text()
            )
        )
