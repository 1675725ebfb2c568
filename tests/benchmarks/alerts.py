"""A watch that sends its alerts and is killed twenty times: what is lost or sent twice, how soon an alert is there.

The recorded victim of the digits watches a folder that an image arrives in five times a second, every second one with
the sticker, and rings for each image that it flags. Alerts go by apprise to a receiver in this process. The watch is
killed at a random moment, while it starts or after it, and started again. The last one is left alone for a while, which
gives the times, and comes to its end. What has to be on record and received follows from the watch's own log.

``python -m tests.benchmarks.alerts --kills 5`` tries it in small. With ``--into FILE`` every watch that came to its end
is a line of that file, and a call that was cut short goes on where it stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.data import load
from core.data.imageset import as_float
from core.files import write_json
from core.jobs.spawn import ROOT
from core.runs.record import find
from core.victims import card_of, trigger_of
from core.watch import place
from core.watch.alerts import kept
from core.watch.log import entries
from tests.benchmarks.watch import environment

KILLS, EACH = 20, 5  # in all, and of one watch
WATCHED = "digits-badnets"
EVERY = 0.2  # seconds between two images
AFTER = 5.0  # seconds: a watch is killed so long after it has begun to look, at most
ALONE = 25.0  # seconds that the last one is left alone
LOOK_EVERY = 0.01
PATIENCE = 120.0  # seconds that a watch may take to begin, or to end
ON_RECORD, RECEIVED = 2.0, 5.0  # asked for: seconds
RULES = [{"what": "flagged", "threshold": 1, "window": 1, "quiet": 0}]  # every flagged image is an alert
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Outcome:
    """One watch over all its kills. ``kills``: how many, and of these ``starting``: before it looked.

    ``arrived``: images, and ``looked_at``: entries of the log for them. ``due``: alerts that follow from it, one for
    each image that is flagged. ``recorded``: entries of the log of alerts; ``sent``: noted as sent; ``received``:
    messages. ``twice``: alerts received more than once; ``lost``: due, and never received. ``to_record``,
    ``to_receiver``: seconds since the image was there, of the last watch, which was left alone.
    """

    number: int
    kills: int
    starting: int
    arrived: int
    looked_at: int
    due: int
    recorded: int
    sent: int
    received: int
    twice: int
    lost: int
    to_record: list[float]
    to_receiver: list[float]


class Span(NamedTuple):
    """When a watch was started, when it began to look, and when it was ended; seconds since 1970."""

    started: float
    begun: float
    ended: float


def rows(kills: int = KILLS, each: int = EACH, into: Path | None = None) -> list[Row]:
    """(figure, measured, asked for).

    Args:
        kills: in all.
        each: of one watch.
        into: a file of JSON lines, one per watch; those that it holds are not measured again.
    """
    if find_spec("apprise") is None:
        return [("alerts", "skipped: apprise is not installed (pip install --group alerts)", "-")]
    known = {one.number: one for one in _kept(into)}
    found = []
    for number, begin in enumerate(range(0, kills, each)):
        count = min(each, kills - begin)
        one = known.get(number)
        if one is None or one.kills != count:
            print(f"watch {number + 1}, {count} kills ...", file=sys.stderr, flush=True)
            one = measure(number, count)
            if into is not None:
                with into.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(one)) + "\n")
        found.append(one)
    return figures(found)


def figures(found: Sequence[Outcome]) -> list[Row]:
    """The rows of what was measured."""

    def total(name: str) -> int:
        return sum(getattr(one, name) for one in found)

    named = f"alerts over {total('kills')} kills ({total('starting')} while it started)"
    to_record = [seconds for one in found for seconds in one.to_record]
    to_receiver = [seconds for one in found for seconds in one.to_receiver]
    return [
        (f"{named}: images arrived; looked at", f"{total('arrived'):,}; {total('looked_at'):,}", "the same"),
        (f"{named}: due; on record; sent", f"{total('due')}; {total('recorded')}; {total('sent')}", "the same"),
        (f"{named}: messages received; twice", f"{total('received')}; {total('twice')}", "the same; 0"),
        (f"{named}: lost", str(total("lost")), "0"),
        ("alerts: an image's arrival to its alert on record", _spread(to_record), f"<= {ON_RECORD:g} s"),
        ("alerts: an image's arrival to its alert received", _spread(to_receiver), f"<= {RECEIVED:g} s"),
    ]


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    late = float(np.quantile(seconds, 0.99))
    return f"median {statistics.median(seconds):.2f} s, 99 % {late:.2f} s, latest {max(seconds):.2f} s ({len(seconds)})"


def measure(number: int, kills: int) -> Outcome:
    """One watch with a home of its own, killed so many times.

    Raises:
        RuntimeError: it did not begin, or not come to its end.
    """
    order = np.random.default_rng(number)
    with (
        tempfile.TemporaryDirectory(prefix="alerts-bench-") as name,
        environment(DISSOLVE_HOME=Path(name) / "home"),
        Receiver() as receiver,
    ):
        folder = Path(name)
        inbox = folder / "inbox"
        inbox.mkdir()
        write_json(folder / "rules.json", RULES)
        call = [
            sys.executable, "-m", "core", "watch", WATCHED, "--inbox", str(inbox), "--victim", "--rules",
            str(folder / "rules.json"), "--send", f"json://127.0.0.1:{receiver.server_port}",
        ]  # fmt: skip
        logs = place.inbox_folder(find(WATCHED), inbox)
        said = folder / "said"
        starting, usual = 0, 0.0  # seconds that a start takes
        with _seen(logs / place.ALERTS) as recorded:
            with _arriving(inbox, order) as came:
                for kill in range(kills):
                    if kill % 4 == 3:
                        _watch(call, said, float(order.uniform(0, usual)), started=True)
                        starting += 1
                    else:
                        span = _watch(call, said, float(order.uniform(0, AFTER)))
                        usual = span.begun - span.started
                alone = _watch(call, said, ALONE, how=signal.SIGTERM)
            done = subprocess.run([*call, "--once"], cwd=ROOT, capture_output=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        timely = {file for file, moment in came.items() if alone.begun <= moment <= alone.ended - RECEIVED}
        return _outcome((number, kills, starting), logs, came, timely, recorded, receiver.got)


def _watch(
    call: list[str], said: Path, seconds: float, started: bool = False, how: signal.Signals = signal.SIGKILL
) -> Span:
    """A watch that is ended so many seconds after it began to look, or (``started``) after it was started."""
    at = time.time()
    with said.open("wb") as out, subprocess.Popen(call, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT) as watch:
        while not started and b"Watching" not in said.read_bytes():
            if watch.poll() is not None or time.time() > at + PATIENCE:
                watch.kill()
                raise RuntimeError(f"the watch did not begin: {said.read_text()}")
            time.sleep(LOOK_EVERY)
        begun = time.time()
        time.sleep(seconds)
        watch.send_signal(how)
        return Span(at, begun, time.time())


@contextlib.contextmanager
def _arriving(inbox: Path, order: np.random.Generator) -> Iterator[dict[str, float]]:
    """Images arrive meanwhile; when each was there, seconds since 1970, by its name."""
    card, images = card_of(WATCHED), load("digits")
    clean = as_float(images.x_test[images.y_test != card.target])
    bad = trigger_of(card, images.size)(clean)
    came: dict[str, float] = {}
    over = threading.Event()

    def write() -> None:
        for number in itertools.count():
            chosen = int(order.integers(len(clean)))
            pixels = ((bad if number % 2 else clean)[chosen] * 255).round().byte().permute(1, 2, 0).numpy()
            content = io.BytesIO()
            Image.fromarray(pixels).save(content, "png")
            half = inbox / f".{number:06d}"
            half.write_bytes(content.getvalue())
            came[f"{number:06d}.png"] = time.time()
            half.rename(inbox / f"{number:06d}.png")
            if over.wait(EVERY):
                return

    with _beside(write, over):
        yield came


@contextlib.contextmanager
def _seen(path: Path) -> Iterator[dict[str, float]]:
    """Looks at a log of alerts meanwhile; when each was first there, seconds since 1970, by its image."""
    first: dict[str, float] = {}
    over = threading.Event()

    def read() -> None:
        size = 0
        while not over.wait(LOOK_EVERY):
            now = path.stat().st_size if path.exists() else 0
            if now != size:
                size, moment = now, time.time()
                for one in kept(path).values():
                    for file in one.alert.files:
                        first.setdefault(file, moment)

    with _beside(read, over):
        yield first


@contextlib.contextmanager
def _beside(work: Callable[[], None], over: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Receiver(ThreadingHTTPServer):
    """Keeps the title of each message, and when it came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.got: list[tuple[float, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self) -> None:
        self.shutdown()
        super().server_close()


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((time.time(), content["title"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def _outcome(
    which: tuple[int, int, int], logs: Path, came: Mapping[str, float], timely: Collection[str],
    recorded: Mapping[str, float], got: Sequence[tuple[float, str]],
) -> Outcome:  # fmt: skip
    """What the logs and the receiver have.

    Args:
        timely: images whose times count.
    """
    number, kills, starting = which
    looked = [entry for entry in entries(logs / place.LOG) if entry["kind"] == "image"]
    due = [entry["file"] for entry in looked if entry["flagged"]]
    alerts = {one.alert.files[0]: one for one in kept(logs / place.ALERTS).values()}
    times: dict[str, list[float]] = {}
    for moment, title in got:
        times.setdefault(title.split("/")[1].split(",")[0], []).append(moment)
    received = {file: times.get(one.alert.id, []) for file, one in alerts.items()}
    return Outcome(
        number=number, kills=kills, starting=starting, arrived=len(came), looked_at=len(looked), due=len(due),
        recorded=sum(entry["kind"] == "alert" for entry in entries(logs / place.ALERTS)),
        sent=sum(one.sent is not None for one in alerts.values()), received=len(got),
        twice=sum(len(moments) > 1 for moments in received.values()), lost=sum(not received.get(file) for file in due),
        to_record=[round(recorded[file] - came[file], 3) for file in due if file in timely],
        to_receiver=[round(received[file][0] - came[file], 3) for file in due if file in timely],
    )  # fmt: skip


def _kept(into: Path | None) -> list[Outcome]:
    """What a file of earlier watches holds; a last line that was cut short counts as none."""
    found = []
    for line in into.read_text(encoding="utf-8").splitlines() if into is not None and into.exists() else ():
        with contextlib.suppress(ValueError, TypeError):
            found.append(Outcome(**json.loads(line)))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """The benchmark by itself, in the size that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.alerts", description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=KILLS, help="in all")
    parser.add_argument("--each", type=int, default=EACH, help="kills of one watch")
    parser.add_argument("--into", type=Path, metavar="FILE", help="keep every watch in this file, and go on from it")
    asked = parser.parse_args(argv)
    for row in rows(asked.kills, asked.each, asked.into):
        print(" | ".join(row))


if __name__ == "__main__":
    main()
