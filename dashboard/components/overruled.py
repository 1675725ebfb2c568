"""What an inspection worked out can be overruled: network, input scaling, size and colours, names of classes."""

from __future__ import annotations

import streamlit as st

from core.data.inputs import COLOURS, NORMALIZATIONS, Inputs
from core.intake import inspection
from core.intake.inspection import Inspection
from core.runs.spec import Spec
from dashboard import i18n
from dashboard.components.inspected import scaling_name
from dashboard.i18n import t
from dashboard.words import percent

BEFORE = "look_before"  # in the session, by the key of an inspection: that of the one which it corrects
WORSE = 1.0  # points of accuracy; what falls by less may be chance
SIZES = ("", "28", "32", "48", "64", "96", "128", "224")


def correct(found: Inspection, expanded: bool) -> Spec | None:
    """The form that overrules network and scaling; the order to look again, once its button is pressed."""
    auto, result = t("look.auto"), found.result
    archs = list(dict.fromkeys(fit["arch"] for fit in result.get("candidates") or []))
    inputs = Inputs.parse(found.spec.normalize or "")
    room = st.expander(t("look.correct"), icon=":material/edit:", expanded=expanded, key=f"correct-{found.key}")
    with room, st.form(f"correct-form-{found.key}", border=False):
        st.caption(t("look.correct_note"))
        left, middle, right = st.columns(3)
        given = [found.spec.arch] if found.spec.arch and found.spec.arch not in archs else []
        options = ["", *archs, *given]
        arch = left.selectbox(
                t("look.network"), options, options.index(found.spec.arch or ""), help=t("look.network_help"),
                format_func=lambda name: name or auto, accept_new_options=True, key=f"arch-{found.key}",
            )  # fmt: skip
        own = [row["scaling"] for row in result.get("tried") or [] if row["scaling"] not in NORMALIZATIONS]
        scalings = list(dict.fromkeys(["", *NORMALIZATIONS, *own, *([inputs.scaling] if inputs else [])]))
        scaling = middle.selectbox(
                t("look.scaling"), scalings, scalings.index(inputs.scaling if inputs else ""),
                format_func=lambda name: scaling_name(name) if name else auto, help=t("look.scaling_help"),
                accept_new_options=True, key=f"scaling-{found.key}",
            )  # fmt: skip
        with right:
            size, colour = _size_and_colour(found, inputs)
        pressed = st.form_submit_button(t("look.again"), icon=":material/refresh:")
    if not pressed:
        return None
    height, _, width = (size or "").strip().lower().replace("×", "x").partition("x")
    scaling = (scaling or "").replace(" ", "")
    normalize = f"{scaling}{'@' if height else ''}{height}{'x' if width else ''}{width}" if scaling else None
    normalize = f"{normalize}:{colour}" if normalize and colour else normalize
    images = result.get("images", {}).get("path") or found.spec.images
    return Spec(weights=found.spec.weights, images=images, arch=(arch or "").strip() or None, normalize=normalize)


def remember(key: str, corrected: Inspection) -> None:
    """Keeps what the inspection ``key`` corrects, and what that one did before it."""
    earlier: dict[str, str] = st.session_state.setdefault(BEFORE, {})
    if key != corrected.key:
        earlier[key] = earlier.get(corrected.key, corrected.key)


def made_worse(found: Inspection) -> str | None:
    """Says that a correction made it worse; the inspection to go back to, once the button is pressed."""
    before = inspection.state(st.session_state.get(BEFORE, {}).get(found.key))
    if before is None or before.key == found.key or before.failure or before.result.get("objection"):
        return None
    was, now = before.result.get("accuracy"), found.result.get("accuracy")
    refused = bool(found.failure or found.result.get("objection"))
    if was is None or not (refused or (now is not None and now <= was - WORSE)):
        return None
    if not refused:
        st.warning(t("look.worse", was=percent(was), now=percent(now)), icon=":material/trending_down:")
    return before.key if st.button(t("look.undo"), icon=":material/undo:", key="undo-correction") else None


def _size_and_colour(found: Inspection, inputs: Inputs | None) -> tuple[str | None, str | None]:
    """The size a network wants, and its colours; both belong to a scaling that is named."""
    size = "x".join(map(str, inputs.size)) if inputs and inputs.size else ""
    sizes = [*SIZES, *([size] if size not in SIZES else [])]
    colour = inputs.colour if inputs and inputs.colour != "rgb" else ""
    colours = {name: i18n.t(f"colour.{name or 'rgb'}") for name in ("", *COLOURS)}
    same = t("look.size_same")
    return (
        st.selectbox(
            t("look.size"), sizes, sizes.index(size), format_func=lambda side: side or same,
            accept_new_options=True, key=f"size-{found.key}", help=t("look.size_help"),
        ),
        st.selectbox(
            t("look.colour"), list(colours), list(colours).index(colour), key=f"colour-{found.key}",
            format_func=colours.__getitem__,
        ),
    )  # fmt: skip


def rename(found: Inspection) -> list[str]:
    """The class names in the reader's language, or as the visitor types them, one a line."""
    images = found.result["images"]
    plain = [i18n.class_name(found.spec.images, name) for name in images["classes"]]
    key = f"names-{found.key}"
    with st.popover(t("look.rename"), icon=":material/edit:", key=f"ask-{key}"):
        typed = st.text_area(t("look.names"), "\n".join(plain), key=key, height=240, help=t("look.names_help"),
                             persist_state="session")  # fmt: skip
        file = st.file_uploader(t("look.names_file"), type=["txt"], key=f"{key}-file", max_upload_size=1)
    if file is not None:
        typed = file.read().decode("utf-8-sig", "replace")
    names = [line.strip() for line in typed.splitlines() if line.strip()]
    return names or plain
