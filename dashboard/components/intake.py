"""What a visitor gives to have a model examined: a file of weights and clean labelled images, and what lies here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import streamlit as st

from core import paths
from core.errors import BadInput
from core.intake import uploads
from core.intake.uploads import MB, Kind, Upload
from core.paths import data_folder
from core.runs.spec import Spec
from dashboard import data, i18n, images
from dashboard.i18n import t
from dashboard.words import file_size, images_name, when

Way = Literal["upload", "path"]
EXAMPLE = "digits-badnets"
SIZES = {kind: limit // MB for kind, limit in uploads.LARGEST.items()}


def offer() -> Spec | None:
    """Both places to give something, and the button; the order to look at it once that is pressed."""
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, key="give-weights", height="stretch"):
        st.subheader(t("give.weights"), anchor=False)
        weights = _weights()
    with right, st.container(border=True, key="give-images", height="stretch"):
        st.subheader(t("give.images"), anchor=False)
        pictures = _images()
    ready = bool(weights and pictures)
    with st.container(horizontal=True, vertical_alignment="center", key="give-act"):
        help_ = None if ready else t("give.missing")
        pressed = st.button(t("give.look"), type="primary", key="look", disabled=not ready, help=help_)
        example = st.button(t("give.example"), type="tertiary", key="example", icon=":material/school:")
    if example and (card := data.victim(EXAMPLE)) is not None:
        return Spec(weights=str(card.weights), images=card.data)
    return Spec(weights=weights, images=pictures) if pressed and weights and pictures else None


def prefill(spec: Spec) -> None:
    """Sets the two places to what a spec holds, so that one part of it can be changed."""
    for kind, given in (("weights", spec.weights or ""), ("images", spec.images)):
        upload = uploads.find(uploads.holding(given))
        known = kind == "images" and given in images.PLACES
        st.session_state[f"give_{kind}_upload"] = upload.id if upload else None
        st.session_state[f"give_{kind}_how"] = given if known else "upload" if upload else "path"
        if not (upload or known):
            st.session_state[f"give_{kind}_path"] = given


def _weights() -> str | None:
    how = _how("weights", {"upload": t("give.upload"), "path": t("give.path")})
    if how == "path":
        return _path("weights", t("give.weights_path"), t("give.weights_path_help"))
    return _uploaded("weights", t("give.weights_file"), None, t("give.weights_note", limit=SIZES["weights"] // 1024))


def _images() -> str | None:
    here = {name: images_name(name) for name in images.PLACES if images.here(name)}
    how = _how("images", {"upload": t("give.upload"), "path": t("give.path"), **here})
    if how in here:
        st.caption(t("give.known_note", folder=str(data_folder())))
        return how
    if how == "path":
        given = _path("images", t("give.images_path"), t("give.images_path_help"))
        return _adopted(given) if given and Path(given).suffix.lower() == ".zip" else given
    return _uploaded(
        "images", t("give.images_file"), ["zip", "npz"], t("give.images_note", limit=SIZES["images"] // 1024)
    )


def _how(kind: Kind, options: dict[str, str]) -> str:
    key = f"give_{kind}_how"
    wanted = st.session_state.pop(f"give_{kind}_next", None) or st.session_state.get(key)
    st.session_state[key] = wanted if wanted in options else "upload"
    chosen = st.segmented_control(
        i18n.t(f"give.{kind}"), list(options), required=True, format_func=options.__getitem__, key=key,
        persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    return chosen or "upload"


def _path(kind: Kind, label: str, note: str) -> str | None:
    """A path on the machine the server runs on, if something is there."""
    given = st.text_input(label, key=f"give_{kind}_path", help=note, persist_state="session").strip().strip("\"'")
    if not given:
        st.caption(t("give.path_note"))
        return None
    path = paths.expanded(given)
    if not paths.exists(given) or (kind == "weights" and path.is_dir()):
        st.error(t("give.no_path", path=given), icon=":material/search_off:")
        return None
    return str(path.resolve())


def _adopted(path: str) -> str | None:
    """A .zip on this machine is unpacked as an upload is: among the uploads, not beside the original."""
    with st.spinner(t("give.keeping")):
        try:
            with Path(path).open("rb") as content:
                upload = uploads.keep("images", Path(path).name, content)
        except (BadInput, OSError) as fault:
            _say(fault)
            return None
    _take("images", upload)
    return None


def _uploaded(kind: Kind, label: str, types: list[str] | None, note: str) -> str | None:
    """The chosen upload's path, with a way to choose another; else the place to drop a file."""
    chosen = uploads.find(st.session_state.get(f"give_{kind}_upload"))
    if chosen is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":material/draft: **{i18n.unmarked(chosen.name)}** · {file_size(chosen.size)}", width="content"
            )
            if st.button(t("give.other"), key=f"other-{kind}", type="tertiary"):
                st.session_state[f"give_{kind}_upload"] = None
                st.rerun()
        st.caption(t("give.kept"))
        return str(chosen.path)
    turn = st.session_state.setdefault(f"give_{kind}_turn", 0)  # a new key lets go of the file that was taken
    file = st.file_uploader(
        label, type=types, key=f"give_{kind}_file_{turn}", max_upload_size=SIZES[kind], label_visibility="collapsed"
    )
    st.caption(note)
    if file is None:
        return None
    with st.spinner(t("give.keeping")):
        try:
            upload = uploads.keep(kind, file.name, file)
        except BadInput as fault:
            _say(fault)
            return None
    _take(kind, upload)
    return None


def _take(kind: Kind, upload: Upload) -> None:
    st.session_state[f"give_{kind}_upload"] = upload.id
    st.session_state[f"give_{kind}_turn"] = st.session_state.get(f"give_{kind}_turn", 0) + 1
    st.session_state[f"give_{kind}_next"] = "upload"
    st.rerun()


def _say(fault: BadInput | OSError) -> None:
    if isinstance(fault, BadInput):
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
    else:
        st.error(t("give.no_path", path=str(fault.filename)), icon=":material/error:")


def kept() -> None:
    """What lies in the folder of uploads, with its size, and the way to remove it."""
    found = uploads.everything()
    if not found:
        return
    total = sum(upload.size for upload in found)
    with st.expander(t("kept.title", count=len(found), size=file_size(total)), icon=":material/inventory_2:"):
        st.caption(t("kept.text"))
        runs = data.runs()
        for upload in found:
            _row(upload, len(uploads.used_by(upload.id, runs)))


def _row(upload: Upload, used: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"kept-{upload.id}"):
        st.markdown(f"**{i18n.unmarked(upload.name)}**", width="content")
        facts = [i18n.t(f"kept.{upload.kind}"), file_size(upload.size), when(upload.created)]
        st.caption(" · ".join([*facts, t("kept.used", count=used)] if used else facts), width="content")
        st.space("stretch")
        if st.session_state.get(f"give_{upload.kind}_upload") != upload.id and st.button(
            t("kept.use"), key=f"use-{upload.id}", type="tertiary"
        ):
            st.session_state[f"give_{upload.kind}_upload"] = upload.id
            st.session_state[f"give_{upload.kind}_next"] = "upload"
            st.rerun()
        remover(upload, used=used)


def remover(upload: Upload, *others: Upload, used: int) -> None:
    """The one button that removes an upload, and the others that belong with it, after asking.

    Args:
        used: the number of runs that used them.
    """
    given = (upload, *others)
    with st.popover(t("kept.remove"), icon=":material/delete:", key=f"ask-{upload.id}", type="tertiary"):
        for one in given:
            st.markdown(t("kept.ask", name=i18n.unmarked(one.name), size=file_size(one.size)))
        if used:
            st.caption(t("kept.ask_used", count=used))
        if st.button(t("kept.confirm"), key=f"remove-{upload.id}", type="primary"):
            try:
                for one in given:
                    uploads.remove(one)
            except BadInput as fault:
                _say(fault)
                return
            st.rerun()
