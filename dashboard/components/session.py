"""What the pages of a run share: its state in words and signs, its buttons, its failure told."""

from __future__ import annotations

import streamlit as st

from core.errors import BadInput
from core.runs import hashes, supervisor
from core.runs.record import Run
from core.words import clock
from dashboard import data, i18n
from dashboard.components import inspected
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.words import file_size, run_title, target_name

ICONS = {
    "queued": ":material/hourglass_top:",
    "running": ":material/play_circle:",
    "paused": ":material/pause_circle:",
    "done": ":material/check_circle:",
    "stopped": ":material/stop_circle:",
    "failed": ":material/error:",
    "lost": ":material/link_off:",
    "recording": ":material/movie:",
}
ACTIONS = {
    "pause": supervisor.pause,
    "resume": supervisor.resume,
    "retry": supervisor.resume,
    "stop": supervisor.stop,
}
TYPES = {"model.onnx": "application/octet-stream", "model.safetensors": "application/octet-stream",
         "model.pt": "application/octet-stream", "card.json": "application/json"}  # fmt: skip


def badges(run: Run, status: str) -> None:
    """Title, status and device; to be called inside the page's head."""
    device = data.device_of(run)
    st.title(i18n.unmarked(run_title(run)), width="content", anchor=False)
    st.badge(i18n.t(f"status.{status}"), icon=ICONS[status], color="gray")
    st.badge(device, icon=":material/memory:", color="gray", help=t("device.run", name=device))


def steering(run: Run, status: str) -> None:
    """The buttons that steer a run in this state; the next step wears the primary colour."""
    if status == "running":
        act(run, "pause", ":material/pause:")
    if status in ("paused", *data.RESUMABLE):
        act(run, "resume", ":material/play_arrow:", primary=True)
    if status in data.GOING:
        act(run, "stop", ":material/stop:")
    if status == "failed":
        act(run, "retry", ":material/refresh:", primary=True)


def act(run: Run, name: str, icon: str, primary: bool = False) -> None:
    """One button of ``ACTIONS``; a fault of it is told and changes nothing."""
    if st.button(i18n.t(f"act.{name}"), icon=icon, key=name, type="primary" if primary else "secondary"):
        try:
            ACTIONS[name](run)
        except BadInput as fault:
            st.toast(i18n.error(fault.code, fault.message, fault.facts), icon=ICONS["failed"], duration="long")
            return
        st.rerun()


def failure(run: Run) -> None:
    """Why a run failed, and what its worker printed where the fault is ours."""
    told = run.data.get("failure") or {}
    told = inspected.as_called(told, run.spec)
    code, message = str(told.get("code", "internal")), str(told["message"])
    st.error(f"{t('lead.failed')} {i18n.error(code, message, told['facts'])}", icon=ICONS["failed"])
    log = run.folder / "worker.log"
    if code == "internal" and log.exists():
        with st.expander(t("act.log"), icon=":material/description:"):
            st.code(log.read_text(encoding="utf-8", errors="replace")[-6000:], language=None)


def verifying(digest: Digest) -> str:
    """What the last stage tries, and how long that will take, where it is known."""
    left = digest.progress.seconds_left if digest.progress else None
    if left is None:
        return t("phase.verify_help")
    return t("lead.verifying", help=t("phase.verify_help"), time=clock(left))


def again(run: Run, digest: Digest) -> str:
    """Why the run purifies again, and why it scans again, to follow what is going on; "" where it does neither."""
    said = []
    if digest.repeats:
        names, target = run.data.get("classes") or [], digest.repeats[-1].target
        said.append(t("lead.again", target=i18n.unmarked(target_name(data.data_name(run), names, target))))
    if digest.rescan:
        said.append(i18n.t(f"lead.rescan.{digest.rescan.reason}"))
    return "".join(f"\n\n{one}" for one in said)


def doing(status: str, digest: Digest) -> str:
    """A few words beside the transport."""
    if status not in data.GOING:
        return ""
    return i18n.t(f"phase.{digest.stage}") if status == "running" and digest.stage else i18n.t(f"status.{status}")


def download(run: Run, file: str, label: str, *, primary: bool = False) -> bool:
    """A button that hands out one file of the run's folder; False where it is not there."""
    path = run.folder / file
    if not path.exists():
        return False
    fault = hashes.result_fault(run) if file in hashes.HANDED_OUT else None
    if fault is not None:
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=ICONS["failed"])
        return True
    st.download_button(
        label,
        data=path.read_bytes,  # read when pressed, not at every rerun
        file_name=f"{run.spec.name}-purified{path.suffix}",
        mime=TYPES[file],
        icon=":material/download:",
        type="primary" if primary else "secondary",
        on_click="ignore",
        help=t("act.download_help", size=file_size(path.stat().st_size)) if path.suffix == ".safetensors" else None,
        key="download" if primary else f"download-{file}",
    )
    return True
