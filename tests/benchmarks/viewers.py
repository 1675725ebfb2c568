"""Twenty viewers of one live run: what they cost the run and the server, and how late each sees a picture.

A viewer is a websocket client that speaks Streamlit's protocol as its web page does: it opens the page of the run,
reruns whatever the server has asked it to, and tells which messages it keeps, so that what has not changed is not sent
anew. Browsers would need more cores than there are; what they draw is no load of the server. Runs without and with
viewers are started in turn, so that both meet the same machine. The viewers themselves take some of a core, which is
measured and told: on few cores the run pays for them as well.

``python -m tests.benchmarks.viewers --viewers 3 --repeats 1`` tries it in small. With ``--into FILE`` every run that
came to its end is a line of that file, and a call that was cut short goes on where it stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from core import victims
from core.errors import BadInput
from core.events import Frame
from core.runs import supervisor
from core.runs.record import ENDED, Run
from core.runs.spec import Spec
from dashboard.components.stage_payload import MAGIC
from tests.benchmarks.first_page import listening, server_at
from tests.benchmarks.watch import environment

VIEWERS = 20
PATIENCE = 900.0  # seconds that a run may take
GREETED = 60.0  # seconds that a viewer may take to its first picture once there is one
LOOK_EVERY = 0.05
KEPT_RUNS = 2  # reruns for which a page keeps a message that it is not sent: Streamlit's global.maxCachedMessageAge
SLOWER, LATE, MEMORY = 5.0, 2.0, 1.5  # asked for: percent, seconds, GB


@dataclass
class Viewer:
    """One client. ``seen``: the moment (of the wall clock, as the run's log has it) at which it first had each picture.

    Attributes:
        address: of the server, ``http://...``.
        run: whose page it opens.
        fault: what went wrong; None so far.
    """

    address: str
    run: str
    seen: dict[int, float] = field(default_factory=dict)
    fault: BaseException | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._kept, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _kept(self) -> None:
        try:
            self._watch()
        except BaseException as fault:  # told by whoever asks
            self.fault = fault

    def _watch(self) -> None:
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
        from websockets.sync.client import connect
        from websockets.typing import Subprotocol

        query = f"run={self.run}"
        with connect(
            self.address.replace("http", "ws") + "/_stcore/stream",
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
        ) as line:
            first = BackMsg()
            first.rerun_script.query_string, first.rerun_script.page_name = query, "purify"
            line.send(first.SerializeToString())
            page, every, due = "", {}, {}  # type: str, dict[str, float], dict[str, float]
            kept: dict[str, int] = {}  # by the hash of a message: reruns since it was last wanted
            while not self._ended.is_set():
                try:
                    got = line.recv(timeout=0.05)
                except TimeoutError:
                    got = b""
                if got:
                    message = ForwardMsg.FromString(got)  # type: ignore[arg-type]
                    kind = message.WhichOneof("type")
                    if kind == "new_session":
                        page = message.new_session.page_script_hash
                        if not message.metadata.run.fragment_ids:  # the whole page, which asks for its reruns anew
                            every, due = {}, {}
                    elif kind == "auto_rerun":
                        every[message.auto_rerun.fragment_id] = message.auto_rerun.interval
                        due[message.auto_rerun.fragment_id] = time.monotonic() + message.auto_rerun.interval
                    elif kind == "stop_auto_rerun":
                        for gone in message.stop_auto_rerun.fragment_ids:
                            due.pop(gone, None)
                    elif kind == "delta":
                        self._look(got)  # type: ignore[arg-type]
                        if message.metadata.cacheable:
                            kept[message.hash] = 0
                    elif kind == "ref_hash":
                        kept[message.ref_hash] = 0
                    elif kind == "script_finished":
                        kept = {one: age + 1 for one, age in kept.items() if age < KEPT_RUNS}
                for fragment, moment in list(due.items()):
                    if time.monotonic() >= moment:
                        again = BackMsg()
                        again.rerun_script.query_string, again.rerun_script.page_script_hash = query, page
                        again.rerun_script.fragment_id, again.rerun_script.is_auto_rerun = fragment, True
                        again.rerun_script.cached_message_hashes.extend(kept)
                        line.send(again.SerializeToString())
                        due[fragment] = time.monotonic() + every[fragment]

    def _look(self, message: bytes) -> None:
        """Notes the pictures that a message to the live view brings."""
        begin = message.find(MAGIC)
        if begin < 0:
            return
        (length,) = struct.unpack_from("<I", message, begin + len(MAGIC))
        start = begin + len(MAGIC) + 4
        header: dict[str, Any] = json.loads(message[start : start + length])
        now = time.time()
        for picture in range(len(self.seen), header["frames"]):
            self.seen.setdefault(picture, now)


@dataclass(frozen=True)
class Pass:
    """One run.

    Attributes:
        viewers: of it. repeat: counted from 0, -1 for the run that warms up. seconds: that it took.
        late: median and greatest delay of a picture, s; None without viewers.
        memory: of the server, GB. cores: that the server kept busy. clients: that the viewers kept busy.
    """

    victim: str
    viewers: int
    repeat: int
    seconds: float
    late: tuple[float, float] | None
    memory: float
    cores: float
    clients: float


def rows(
    viewers: int = VIEWERS,
    repeats: int = 2,
    victim: str = victims.DEFAULT,
    patience: float = PATIENCE,
    into: Path | None = None,
) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for).

    Args:
        patience: seconds that one run may take, after which it is ended and the benchmark fails.
        into: a file of JSON lines, one per run; those that it holds are not measured again.

    Raises:
        RuntimeError: a run failed or took too long, or a viewer saw none of its pictures.
    """
    wanted = [(0, -1), *((count, repeat) for repeat in range(repeats) for count in (0, viewers))]
    known = {(one.viewers, one.repeat): one for one in _kept(into) if one.victim == victim}
    missing = [each for each in wanted if each not in known]
    if missing and (0, -1) not in missing:
        missing.insert(0, (0, -1))  # another home: its first run draws the images
    if missing:
        with (
            tempfile.TemporaryDirectory() as home,
            environment(DISSOLVE_HOME=Path(home)),
            server_at(Path(home)) as address,
        ):
            listening(address, time.monotonic())
            for count, repeat in missing:
                found = _pass(address, victim, count, repeat, patience)
                known[count, repeat] = found
                if into is not None:
                    with into.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(found)) + "\n")
    alone = [known[0, repeat] for repeat in range(repeats)]
    watched = [known[viewers, repeat] for repeat in range(repeats)]
    before, after = ([one.seconds for one in side] for side in (alone, watched))
    slower = 100 * (statistics.median(after) / statistics.median(before) - 1)
    late = [one.late for one in watched if one.late]
    named = f"one run, {viewers} viewers"
    return [
        (f"{named}: slower than without", f"{slower:.0f} % ({_listed(before)} s alone, {_listed(after)} s watched)",
         f"<= {SLOWER:g} %"),
        (f"{named}: a picture is seen after", f"{statistics.median(each for each, _ in late):.2f} s (latest "
         f"{max(most for _, most in late):.2f} s)", f"<= {LATE:g} s"),
        (f"{named}: the server's memory", f"{max(one.memory for one in watched):.2f} GB", f"< {MEMORY:g} GB"),
        (f"{named}: cores that the server keeps busy", f"{statistics.median(one.cores for one in watched):.2f} (the "
         f"viewers themselves {statistics.median(one.clients for one in watched):.2f})", "-"),
    ]  # fmt: skip


def _kept(into: Path | None) -> list[Pass]:
    """What a file of earlier runs holds; a last line that was cut short counts as none."""
    found = []
    for line in into.read_text(encoding="utf-8").splitlines() if into is not None and into.exists() else ():
        with contextlib.suppress(ValueError, TypeError):
            found.append(Pass(**json.loads(line)))
    return found


def _listed(seconds: Sequence[float]) -> str:
    return ", ".join(f"{each:.1f}" for each in seconds)


def _pass(address: str, victim: str, count: int, repeat: int, patience: float) -> Pass:
    """One run to its end, with so many viewers."""
    card = victims.card_of(victim)
    with _run(Spec(victim=card.name, images=card.data)) as run, _viewing(address, run, count) as clients:
        begun = time.monotonic()
        server, own = _server(), psutil.Process()
        before, before_own, most = _busy(server), _busy(own), 0.0
        reader, made = run.reader(), dict[int, float]()  # when each picture could be read
        while run.status not in ENDED:
            time.sleep(LOOK_EVERY)
            made |= {event.index: time.time() for _, event in reader.read() if isinstance(event, Frame)}
            most = max(most, server.memory_info().rss / 1e9)
            _check(run, clients, made, begun, patience)
        spent = time.monotonic() - begun
        if run.status != "done":
            raise RuntimeError(f"run {run.id} ended as {run.status}")
        cores, used = (_busy(server) - before) / spent, (_busy(own) - before_own) / spent
        time.sleep(2 * LATE if clients else 0)  # the last pictures
    lags = _lags(made, clients)
    late = (statistics.median(lags), max(lags)) if lags else None
    if clients and late is None:
        raise RuntimeError(f"no viewer of run {run.id} saw a new picture")
    return Pass(victim, count, repeat, spent, late, most, cores, used)


@contextlib.contextmanager
def _run(spec: Spec) -> Iterator[Run]:
    """Inside: the run is going; one that has not ended is stopped on the way out."""
    run = supervisor.start(spec)
    try:
        yield run
    finally:
        if run.status not in ENDED:
            with contextlib.suppress(BadInput):  # it has ended in between
                supervisor.kill(run)


@contextlib.contextmanager
def _viewing(address: str, run: Run, count: int) -> Iterator[list[Viewer]]:
    """Inside: so many viewers look at the run."""
    clients = [Viewer(address, run.id) for _ in range(count)]
    try:
        for client in clients:
            client.start()
        yield clients
    finally:
        for client in clients:
            client.stop()


def _server() -> psutil.Process:
    return next(each for each in psutil.Process().children() if "streamlit" in each.cmdline())


def _busy(process: psutil.Process) -> float:
    """Seconds of computing that a process has had."""
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _check(run: Run, clients: Sequence[Viewer], made: Mapping[int, float], begun: float, patience: float) -> None:
    """Ends the measurement as soon as it can come to nothing, and not after the run."""
    for number, client in enumerate(clients):
        if client.fault is not None:
            raise RuntimeError(f"viewer {number} of run {run.id} broke off: {client.fault!r}") from client.fault
    first = min(made.values(), default=None)
    blind = sum(not client.seen for client in clients)
    if blind and first is not None and time.time() - first > GREETED:
        raise RuntimeError(f"{blind} of {len(clients)} viewers of run {run.id} saw no picture in {GREETED:g} s")
    if time.monotonic() - begun > patience:
        raise RuntimeError(f"run {run.id} was not over after {patience:g} s")


def _lags(made: Mapping[int, float], clients: Sequence[Viewer]) -> list[float]:
    """Seconds from the log of a picture until a viewer had it; those that came before its first look do not count."""
    return [
        moment - made[picture]
        for client in clients
        for picture, moment in client.seen.items()
        if picture in made and moment > min(client.seen.values())
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """The benchmark by itself, in the size that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.viewers", description=__doc__.split("\n\n")[0])
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--repeats", type=int, default=2, help="runs without and with viewers, each so many times")
    parser.add_argument("--victim", default=victims.DEFAULT, help="digits-badnets is the quicker one")
    parser.add_argument("--patience", type=float, default=PATIENCE, metavar="S", help="seconds that one run may take")
    parser.add_argument("--into", type=Path, metavar="FILE", help="keep every run in this file, and go on from it")
    asked = parser.parse_args(argv)
    for row in rows(asked.viewers, asked.repeats, asked.victim, asked.patience, asked.into):
        print(" | ".join(row))


if __name__ == "__main__":
    main()
