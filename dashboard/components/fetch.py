"""Images that are not ours to ship: a folder on this computer, or a download that the visitor agrees to."""

from __future__ import annotations

import streamlit as st

from core.data import IMAGE_SETS
from core.errors import BadInput
from core.jobs.note import Job
from dashboard import download, i18n, images
from dashboard.i18n import t
from dashboard.words import images_name


def images_of(name: str) -> str | None:
    """What a run's ``Spec.images`` should be for an image set; None while its pixels are not on this computer."""
    if images.here(name):
        return name
    return st.session_state.get(f"folder_{name}")


def offer(name: str) -> None:
    """Asks for the images of a set: a local folder, or consent to a download."""
    with st.container(border=True, key="fetch"):
        st.subheader(t("fetch.title", images=images_name(name)), anchor=False)
        st.markdown(t("fetch.text"))
        left, right = st.columns(2, gap="large")
        with left:
            _folder(name)
        with right:
            _download(name)


def _folder(name: str) -> None:
    with st.form("folder", border=False):
        given = st.text_input(t("fetch.folder"), key="fetch_folder", help=t("fetch.folder_help")).strip()
        pressed = st.form_submit_button(t("fetch.use"), icon=":material/folder_open:")
    if not pressed:
        return
    try:
        st.session_state[f"folder_{name}"] = images.adopt(name, given)
    except BadInput as fault:
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
        return
    st.rerun()


def _download(name: str) -> None:
    job = download.state(name)
    if job is None or job.ended:
        size, host = IMAGE_SETS[name].size, IMAGE_SETS[name].host
        if job is not None:
            st.error(t("fetch.failed", reason=_reason(job)), icon=":material/error:")
        st.markdown(t("fetch.consent", size=size, host=host))
        if st.button(t("fetch.download"), icon=":material/download:", key="fetch_download"):
            download.start(name)
            st.rerun()
        return
    st.fragment(_going, run_every=1.0)(name)


def _going(name: str) -> None:
    job = download.state(name)
    if job is None or job.ended:
        st.rerun()
        return
    if not job.total:
        st.progress(0.0, text=t("fetch.connecting"))
        return
    mega = 1_000_000
    if job.total < mega:  # everything is fetched; files are being read
        st.progress(min(1.0, job.done / job.total), text=t("fetch.reading"))
        return
    st.progress(min(1.0, job.done / job.total), text=t("fetch.going", done=job.done // mega, total=job.total // mega))


def _reason(job: Job) -> str:
    return i18n.error(job.failure.get("code", ""), job.failure.get("message", "–"), job.failure.get("facts", {}))
