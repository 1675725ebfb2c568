"""What an inspection has found out: the file in words, the network and the scaling, the classes."""

from __future__ import annotations

import base64
import io
import shlex
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from core.compute.intervals import images_for, one_miss
from core.data.inputs import NORMALIZATIONS, Inputs
from core.intake import uploads
from core.intake.inspection import LOG, STEPS, Inspection
from core.report.advice import ASR_LIMIT
from core.runs.spec import Spec
from core.words import clock
from dashboard import i18n
from dashboard.i18n import catalogue, language, t
from dashboard.words import images_name, percent

CLEAR_REMAINDER = 2.0  # percent; a remainder below it is a clear answer
ROWS = 6  # of the table, before all are asked for
OWN_CLASS = (
    "no_architecture_fits", "weights_do_not_fit", "weights_left_over", "near_chance", "unknown_architecture",
    "look_alike_ambiguous", "look_alike_undecided",
)  # fmt: skip
NAMED = (*OWN_CLASS, "size_does_not_fit", "unknown_normalization", "not_a_row", "timm_missing")  # a name may mend it
SIDE = 48  # pixels of a class's picture, as the inspection takes them


def steps(found: Inspection) -> str:
    """The steps as a line, as HTML: state is told in words for screen readers, and by shape as well as colour."""
    shown = [step for step in STEPS if step != "unpack" or found.spec.images.lower().endswith(".zip")]
    here = shown.index(found.step) if found.step in shown else 0
    items = []
    for place, step in enumerate(shown):
        state = "done" if place < here else "todo" if place > here else "halted" if found.failure else "now"
        if found.ended and not found.failure:
            state = "done"
        share = min(1.0, found.done / found.total) if state == "now" and found.total else 0.0
        note = t("unit.percent", value=f"{100 * share:.0f}") if share else i18n.t(f"phase.{state}")
        if share and found.seconds_left is not None:
            note = t("phase.left", time=clock(found.seconds_left))
        bar = f'<i style="width:{100 * share:.0f}%"></i>' if share else ""
        current = ' aria-current="step"' if state == "now" else ""
        items.append(
            f'<li class="{state}"{current}>{bar}<b>{escape(i18n.t(f"look.step.{step}"))}</b>'
            f"<span>{escape(note)}</span></li>"
        )
    return f'<ol class="dz-track" aria-label="{escape(t("look.steps"))}">{"".join(items)}</ol>'


def told(failure: dict[str, Any], spec: Spec | None = None) -> str:
    """A fault in the reader's words: those for this page where it has its own, since a page has no options to type.

    Args:
        failure: as notes keep it.
        spec: of what failed; what was uploaded for it goes by the visitor's own names.
    """
    failure = as_called(failure, spec) if spec else failure
    code, facts = str(failure.get("code", "")), failure.get("facts") or {}
    own = catalogue(language()).get(f"look.error.{code}")
    if own is not None and i18n.placeholders(own) <= set(facts):
        return own.format(**{name: i18n.unmarked(value) for name, value in facts.items()})
    return i18n.error(code, str(failure.get("message", "")), facts)


def as_called(failure: dict[str, Any], spec: Spec) -> dict[str, Any]:
    """The fault with what was uploaded for ``spec`` under the visitor's own names."""

    def own(value: Any) -> Any:
        return uploads.as_called(value, spec.weights, spec.images) if isinstance(value, str) else value

    facts = {name: own(value) for name, value in (failure.get("facts") or {}).items()}
    return failure | {"message": own(failure.get("message", "")), "facts": facts}


def objection(failure: dict[str, Any], found: Inspection) -> None:
    """Why it cannot go on, and where a network of the user's own is named."""
    st.error(told(failure, found.spec), icon=":material/error:")
    log = found.pictures.with_name(LOG)
    if failure.get("code") == "internal" and log.exists():
        with st.expander(t("act.log"), icon=":material/description:"):
            st.code(log.read_text(encoding="utf-8", errors="replace")[-6000:], language=None)
    if failure.get("code") in OWN_CLASS:
        st.markdown(t("look.own_class"))
        images = found.result.get("images", {}).get("path") or uploads.lies_now(found.spec.images)
        weights, images = shlex.quote(str(found.spec.weights)), shlex.quote(images)
        command = f"python -m core scan {weights} --images {images} --model-class net.py:Net"
        st.code(command, language="bash", wrap_lines=True)


def facts(found: Inspection) -> None:
    """Network, scaling and accuracy as figures, the file in words, and the table of what was tried."""
    result = found.result
    if result.get("arch"):
        cells = _cell(t("look.network"), result["arch"])
        cells += _cell(t("look.scaling"), inputs_name(result["normalize"]))
        cells += _cell(t("look.accuracy"), percent(result["accuracy"]))
        st.html(f'<div class="dz-cells dz-found">{cells}</div>')
    sentences = [in_words(fact) for fact in result.get("found", [])]
    fits = result.get("candidates") or []
    if len(fits) == 1:
        sentences.append(t("look.one_fit", arch=fits[0]["arch"]))
    elif fits:
        listed = ", ".join(fit["arch"] for fit in fits[:6]) + (" …" if len(fits) > 6 else "")
        sentences.append(t("look.fits", count=len(fits), listed=listed))
    if sentences:
        st.html(f'<ul class="dz-list">{"".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)}</ul>')


def tensors(found: Inspection) -> None:
    """Every tensor that has another name in the network, and that one."""
    pairs = found.result.get("names") or {}
    if not pairs:
        return
    with st.expander(t("look.tensors", count=len(pairs)), icon=":material/swap_horiz:"):
        heads = "".join(
            f'<th scope="col">{escape(head)}</th>' for head in (t("look.tensors_file"), t("look.tensors_network"))
        )
        body = "".join(f"<tr><td>{escape(old)}</td><td>{escape(new)}</td></tr>" for old, new in pairs.items())
        table = f'<table class="dz-table"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        st.html(f'<div class="dz-scroll">{table}</div>')


def table(found: Inspection) -> None:
    """Networks and scalings that were tried, the best first and marked."""
    tried = found.result.get("tried") or []
    if not tried:
        return
    st.markdown(f"**{t('look.table')}**")
    st.html(rows(tried[:ROWS], found.result))
    if len(tried) > ROWS:
        with st.expander(t("look.more", count=len(tried) - ROWS)):
            st.html(rows(tried[ROWS:], found.result))
    st.caption(t("look.table_note"))


def rows(tried: list[dict[str, Any]], result: dict[str, Any]) -> str:
    """The table as HTML; what was chosen is said in words, not by weight of type alone."""
    heads = (t("look.network"), t("look.scaling"), t("look.accuracy"), t("look.size"), t("look.on"))
    sizes = result.get("images", {})
    body = ""
    for row in tried:
        chosen = (row["arch"], row["normalize"]) == (result.get("arch"), result.get("normalize"))
        mark = f" <em>{escape(t('look.chosen'))}</em>" if chosen else ""
        height, width = row["size"] or (sizes.get("height", 0), sizes.get("width", 0))
        body += (
            f'<tr{" class=chosen" if chosen else ""}><th scope="row">{escape(row["arch"])}{mark}</th>'
            f"<td>{escape(scaling_name(row['scaling'], row['colour']))}</td><td>{percent(row['accuracy'])}</td>"
            f"<td>{height} × {width}</td><td>{row['images']:,}</td></tr>"
        )
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return f'<div class="dz-scroll"><table class="dz-table dz-tried"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'  # noqa: E501


def classes(found: Inspection, names: list[str]) -> None:
    """Number and size of the images, and one picture of each class with its name."""
    images = found.result.get("images")
    if not images:
        return
    st.markdown(counts(found))
    if images.get("left_out"):
        st.caption(t("look.left_out", count=images["left_out"]))
    pictures = _pictures(str(found.pictures), found.pictures.stat().st_mtime) if found.pictures.exists() else []
    cards = "".join(
        f'<li><img src="{uri}" alt="" width="{SIDE}" height="{SIDE}"><span title="{escape(name)}">{escape(name)}</span>'
        "</li>"
        for uri, name in zip(pictures, names, strict=False)
    )
    more = f"<li>{escape(t('look.more_classes', count=len(names) - len(pictures)))}</li>" if pictures else ""
    if cards:
        st.html(f'<ul class="dz-classes">{cards}{more if len(names) > len(pictures) else ""}</ul>')


def counts(found: Inspection) -> str:
    """How many images of how many classes, in a sentence."""
    images = found.result["images"]
    return t(
        "look.counts", classes=len(images["classes"]), train=f"{images['train']:,}", test=f"{images['test']:,}",
        height=images["height"], width=images["width"],
    )  # fmt: skip


def few(images: dict[str, Any]) -> str:
    """What so few test images leave open, with the number that would decide; "" where they are enough.

    Args:
        images: ``classes``, and the number ``test`` of test images, of which those of the target class do not count.
    """
    classes = max(2, len(images["classes"]))
    count = images["test"] * (classes - 1) // classes
    if one_miss(count) < ASR_LIMIT:
        return ""
    need = -(-images_for(CLEAR_REMAINDER) * classes // (classes - 1))
    return t(
        "look.few",
        test=f"{images['test']:,}",
        high=percent(one_miss(count)),
        need=f"{need:,}",
        limit=percent(CLEAR_REMAINDER, 0),
    )


def in_words(fact: dict[str, Any]) -> str:
    """A fact about the file in the reader's language; in the engine's own English where the catalogue is older."""
    sentence = catalogue(language()).get(f"found.{fact['code']}")
    given = {name: f"{value:,}" if isinstance(value, int) else value for name, value in fact["facts"].items()}
    return fact["message"] if sentence is None else sentence.format(**given)


def inputs_name(name: str) -> str:
    """A scaling with size and colour in words."""
    inputs = Inputs.parse(name)
    if inputs is None:
        return images_name(name)
    words = scaling_name(inputs.scaling, inputs.colour)
    return words if inputs.size is None else f"{words} · {inputs.size[0]} × {inputs.size[1]}"


def scaling_name(scaling: str, colour: str = "rgb") -> str:
    """An input scaling in words, its colours where they are unusual."""
    words = i18n.t(f"scaling.{scaling}") if scaling in NORMALIZATIONS else _own_scaling(scaling)
    return words if colour == "rgb" else f"{words} · {i18n.t(f'colour.{colour}')}"


def _own_scaling(scaling: str) -> str:
    """Mean and deviation; one number of each where the channels agree."""
    parts = ([number.strip() for number in part.split(",")] for part in scaling.split("/"))
    return " / ".join(numbers[0] if len(set(numbers)) == 1 else ", ".join(numbers) for numbers in parts)


def _cell(name: str, value: str) -> str:
    return f'<div class="dz-cell"><span>{escape(name)}</span><b>{escape(value)}</b></div>'


@st.cache_data(max_entries=20, show_spinner=False)
def _pictures(file: str, written: float) -> list[str]:
    """The pictures of a row, each as a data URI; ``written`` tells a new row from an old one."""
    from PIL import Image

    uris = []
    with Image.open(Path(file), formats=("PNG",)) as row:
        for place in range(row.width // SIDE):
            content = io.BytesIO()
            row.crop((SIDE * place, 0, SIDE * (place + 1), SIDE)).save(content, "png")
            uris.append("data:image/png;base64," + base64.b64encode(content.getvalue()).decode())
    return uris
