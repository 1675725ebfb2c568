"""The dashboard's door to the engine: victims, runs and the machine, without torch, cached where that is safe."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from functools import lru_cache
from importlib import metadata

import streamlit as st

from core import paths
from core import victims as shipped
from core.defenses import DEFENCES
from core.errors import BadInput
from core.runs import record
from core.runs.record import Run
from core.victims import Card
from dashboard.digest import Digest, digest

GOING = ("queued", "running", "paused")
RESUMABLE = ("lost", "stopped")


def victims() -> list[Card]:
    """Cards of the shipped victims, the default one first."""
    return shipped.list_victims()


def victim(name: str | None) -> Card | None:
    """The card of one shipped victim; None if there is none of that name."""
    try:
        return shipped.card_of(name) if name else None
    except BadInput:
        return None


def runs() -> list[Run]:
    """All runs and shipped recordings, newest first."""
    return record.list_runs()


def find(run_id: str | None) -> Run | None:
    """The run of that id; None if it is not there. An id comes from the address bar, so it never is a path."""
    if not run_id or not re.fullmatch(r"[\w-][\w.-]*", run_id):
        return None
    for place in (paths.runs_folder(), paths.RECORDINGS):
        try:
            return Run(place / run_id)
        except BadInput:
            continue
    return None


def recording_of(victim_name: str, defence: str = "mcl") -> Run | None:
    """The newest shipped recording of a victim under one defence."""
    shown = (run for run in runs() if run.is_recording and run.spec.victim == victim_name)
    return next((run for run in shown if run.spec.defence == defence), None)


def going_on(besides: str = "") -> Run | None:
    """A run whose worker is at work now."""
    return next((run for run in runs() if run.id != besides and not run.is_recording and run.status == "running"), None)


def digest_of(run: Run) -> Digest:
    """The run's events added up; kept for as long as the event log has not grown."""
    log = run.folder / "events.jsonl"
    size = log.stat().st_size if log.exists() else 0
    return _digest(str(run.folder), size, _run=run)


@st.cache_data(max_entries=200, show_spinner=False)
def _digest(folder: str, size: int, _run: Run) -> Digest:
    return digest(_run.events())


def data_name(run: Run) -> str:
    """Which image set's class names a run uses: the victim's, else the run's own images."""
    card = victim(run.spec.victim)
    return card.data if card else run.spec.images


def attack_of(run: Run) -> str | None:
    """The planted attack where it is known."""
    card = victim(run.spec.victim)
    return card.attack if card else None


def real_target(run: Run) -> int | None:
    """The target class the attacker chose, where it is known."""
    card = victim(run.spec.victim)
    return card.target if card else None


def measured_target(run: Run, digest: Digest) -> int | None:
    """The class that attack success is counted for: the attacker's where it is known, else the one given or found."""
    found = digest.scanned.target if digest.scanned else None
    return next((k for k in (real_target(run), run.spec.target, found) if k is not None), None)


def scans(run: Run) -> bool:
    """Whether the run looks for a trigger: to work with, or to measure a stranger's model with."""
    spec = run.spec
    method = DEFENCES.get(spec.defence)
    return spec.scan_only or not spec.victim or method is None or method.needs_triggers


def device_of(run: Run) -> str:
    """What a run was computed on: the GPU's name, or the CPU's."""
    told = run.snapshot()
    machine = told.data.get("machine") or {}
    device = str(told.result.get("device") or told.spec.device)
    if machine.get("gpu") and not device.startswith("cpu"):
        return str(machine["gpu"])
    return cpu_name(machine.get("cpu"), machine.get("cores"))


def cpu_name(model: str | None, cores: int | None) -> str:
    """A processor in a few words, which say that it is one."""
    short = short_name(model or "")
    return f"CPU · {short}" if short else f"CPU · {cores}" if cores else "CPU"


def short_name(processor: str) -> str:
    """A processor's name as people say it."""
    words = processor.replace("(R)", "").replace("(TM)", "").split("@")[0].split()
    return " ".join(word for word in words if word not in ("CPU", "Processor"))


@lru_cache(maxsize=1)
def device_here() -> tuple[str, str]:
    """``(kind, name)`` of what "automatic" will compute on, found without torch: "cuda", "mps" or "cpu"."""
    try:
        cpu_only = "+cpu" in metadata.version("torch")
    except metadata.PackageNotFoundError:
        cpu_only = True
    if not cpu_only and shutil.which("nvidia-smi"):
        try:
            query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
            found = subprocess.run(query, capture_output=True, text=True, timeout=3, check=True).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            found = ""
        if found:
            return "cuda", found.splitlines()[0]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "mps", "Apple GPU"
    return "cpu", "CPU"
