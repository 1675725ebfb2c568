"""Twenty viewers of one live run: what they cost the run and the server, and how late each sees a picture.

A viewer is a websocket client that speaks Streamlit's protocol as its web page does: it opens the page of the run, and
reruns the live view whenever the server has asked it to. Browsers would need more cores than there are; what they draw
is no load of the server. Runs without and with viewers are started in turn, so that both meet the same machine.
"""

from __future__ import annotations

import json
import statistics
import struct
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from core import victims
from core.events import Frame
from core.runs import supervisor
from core.runs.record import ENDED
from core.runs.spec import Spec
from dashboard.components.stage_payload import MAGIC
from tests.benchmarks.first_page import listening, server_at
from tests.benchmarks.watch import environment

VIEWERS = 20
PATIENCE = 900.0  # seconds
LOOK_EVERY = 0.05
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
                        if not message.new_session.fragment_ids_this_run:
                            every, due = {}, {}
                    elif kind == "auto_rerun":
                        every[message.auto_rerun.fragment_id] = message.auto_rerun.interval
                        due[message.auto_rerun.fragment_id] = time.monotonic() + message.auto_rerun.interval
                    elif kind == "delta":
                        self._look(got)  # type: ignore[arg-type]
                for fragment, moment in list(due.items()):
                    if time.monotonic() >= moment:
                        again = BackMsg()
                        again.rerun_script.query_string, again.rerun_script.page_script_hash = query, page
                        again.rerun_script.fragment_id, again.rerun_script.is_auto_rerun = fragment, True
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


def rows(viewers: int = VIEWERS, repeats: int = 2) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for)."""
    alone, watched, late, memory, busy = [], [], [], 0.0, []
    with tempfile.TemporaryDirectory() as home, environment(DISSOLVE_HOME=Path(home)), server_at(Path(home)) as address:
        listening(address, time.monotonic())
        _run([], None)  # the first run of a home draws the road signs
        for _ in range(repeats):
            alone.append(_run([], None)[0])
            clients: list[Viewer] = []
            spent, lags, most, cores = _run(clients, (address, viewers))
            watched.append(spent)
            late += lags
            memory = max(memory, most)
            busy.append(cores)
            for client in clients:
                if client.fault is not None:
                    raise client.fault
    slower = 100 * (statistics.median(watched) / statistics.median(alone) - 1)
    return [
        (f"one run, {viewers} viewers: slower than without", f"{slower:.0f} % ({_listed(alone)} s alone, "
         f"{_listed(watched)} s watched)", f"<= {SLOWER:g} %"),
        (f"one run, {viewers} viewers: a picture is seen after", f"{statistics.median(late):.2f} s (latest "
         f"{max(late):.2f} s)", f"<= {LATE:g} s"),
        (f"one run, {viewers} viewers: the server's memory", f"{memory:.2f} GB", f"< {MEMORY:g} GB"),
        (f"one run, {viewers} viewers: cores that the server keeps busy", f"{statistics.median(busy):.2f}", "-"),
    ]  # fmt: skip


def _listed(seconds: Sequence[float]) -> str:
    return ", ".join(f"{each:.1f}" for each in seconds)


def _run(clients: list[Viewer], where: tuple[str, int] | None) -> tuple[float, list[float], float, float]:
    """Seconds of a run; how late each viewer had each picture, s; the server's memory, GB, and busy cores."""
    card = victims.card_of(victims.DEFAULT)
    run = supervisor.start(Spec(victim=card.name, images=card.data))
    begun = time.monotonic()
    if where is not None:
        address, count = where
        clients += [Viewer(address, run.id) for _ in range(count)]
        for client in clients:
            client.start()
    server = next(each for each in psutil.Process().children() if "streamlit" in each.cmdline())
    before, most = sum(server.cpu_times()[:2]), 0.0
    reader, made = run.reader(), dict[int, float]()  # when each picture could be read
    while run.status not in ENDED:
        time.sleep(LOOK_EVERY)
        made |= {event.index: time.time() for _, event in reader.read() if isinstance(event, Frame)}
        most = max(most, server.memory_info().rss / 1e9)
        if time.monotonic() - begun > PATIENCE:
            raise RuntimeError(f"run {run.id} does not end")
    spent = time.monotonic() - begun
    cores = (sum(server.cpu_times()[:2]) - before) / spent
    time.sleep(2 * LATE if clients else 0)  # the last pictures
    for client in clients:
        client.stop()
    return spent, _lags(made, clients), most, cores


def _lags(made: Mapping[int, float], clients: Sequence[Viewer]) -> list[float]:
    """Seconds from the log of a picture until a viewer had it; those that came before its first look do not count."""
    return [
        moment - made[picture]
        for client in clients
        for picture, moment in client.seen.items()
        if picture in made and moment > min(client.seen.values())
    ]


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
