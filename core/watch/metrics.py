"""The figures of a watch for Prometheus, over HTTP at an address of this machine, by prometheus-client (optional).

They are read from the watch whenever they are asked for, so the watch itself does nothing for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from core.errors import BadInput
from core.watch.alerts import What

if TYPE_CHECKING:
    from core.watch.watcher import Watcher

HOST = "127.0.0.1"
RULES: tuple[What, ...] = ("alike", "flagged", "unreadable", "drift", "model", "verdict")


def address(text: str) -> tuple[str, int]:
    """Host and port of ``PORT`` or ``HOST:PORT``; an address of this machine alone where no host is given.

    Raises:
        ValueError: it is none.
    """
    host, _, port = text.rpartition(":")
    number = int(port)
    if not 0 <= number < 65536:
        raise ValueError(f"there is no port {number}")
    return host.strip("[]") or HOST, number


class Metrics:
    """Serves the figures of a watch until it is closed.

    Args:
        labels: of every figure, such as run and inbox.
        at: host and port; port 0 takes a free one.

    Raises:
        BadInput: ``prometheus_missing``; ``metrics_port``: it is taken, or not of this machine.
    """

    def __init__(self, watcher: Watcher, labels: dict[str, str], at: tuple[str, int]) -> None:
        try:
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError:
            raise BadInput(
                "prometheus_missing",
                "Figures for Prometheus need the package prometheus-client, which is not installed; get it with: "
                "pip install --group metrics",
            ) from None
        registry = CollectorRegistry()
        registry.register(_Figures(watcher, labels))
        try:
            self._server, self._thread = start_http_server(at[1], addr=at[0], registry=registry)
        except (OSError, OverflowError) as error:
            raise BadInput(
                "metrics_port",
                f"The figures cannot be served at {at[0]}:{at[1]} ({error}); choose another port with --metrics.",
                address=f"{at[0]}:{at[1]}", reason=str(error),
            ) from None  # fmt: skip
        host = f"[{at[0]}]" if ":" in at[0] else at[0]
        self.url = f"http://{host}:{self._server.server_port}/metrics"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Figures:
    """A collector, as prometheus-client asks for one."""

    def __init__(self, watcher: Watcher, labels: dict[str, str]) -> None:
        self._watcher, self._names, self._values = watcher, list(labels), list(labels.values())

    def describe(self) -> Iterable[Any]:
        return []  # the names are not known before they are asked for, which is allowed

    def collect(self) -> Iterable[Any]:
        """Counters are those since this watch began."""
        tally, model = self._watcher.tally, self._watcher.tally.model
        yield self._counter("images", "Images looked at", tally.images)
        yield self._counter("flagged", "Images that look triggered", tally.counts["flagged"])
        yield self._counter("unreadable", "Files that are no image", tally.counts["unreadable"])
        alerts = self._family("counter", "alerts", "Alerts, by the rule that rang", "rule")
        for rule in RULES:
            alerts.add_metric([*self._values, rule], tally.counts[f"alert.{rule}"])
        yield alerts
        distance = self._family("gauge", "drift_statistic", "Distance from the profile, 0 to 1", "quantity")
        drifted = self._family("gauge", "drifted", "Whether the quantity has drifted", "quantity")
        for name, shift in dict(tally.drift).items():
            distance.add_metric([*self._values, name], shift.statistic)
            drifted.add_metric([*self._values, name], float(shift.drifted))
        yield distance
        yield drifted
        yield self._counter("model_changes", "Changes of the model's file that were noticed", tally.counts["model"])
        held = self._family("gauge", "model", "The model that looks, by the SHA-256 of its file", "sha256")
        held.add_metric([*self._values, model], 1.0)
        yield held
        last = self._family("gauge", "last_look_timestamp_seconds", "When the inbox was last looked at")
        last.add_metric(self._values, tally.looked)
        yield last

    def _counter(self, name: str, what: str, value: float) -> Any:
        family = self._family("counter", name, what)
        family.add_metric(self._values, value)
        return family

    def _family(self, kind: str, name: str, what: str, *more: str) -> Any:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        made = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
        return made(f"dissolve_watch_{name}", what, labels=[*self._names, *more])
