"""The page for a stranger's model: giving it, what was recognised, correcting it, starting, and what came of it."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import inspection, uploads
from core.errors import BadInput
from core.events import Event, Finished, Measured, Scanned, StageStarted
from core.runs import record, supervisor
from core.runs.files import write_json
from core.runs.process import identity
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard.i18n import catalogue
from tests.dashboard.conftest import words

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])
KEY = "0123456789abcdef"
RESULT: dict[str, Any] = {
    "found": [{"code": "wrapper", "message": "The weights were inside net.", "facts": {"where": "net"}}],
    "images": {
        "path": "/photos", "name": "photos", "train": 400, "test": 100, "height": 32, "width": 24,
        "classes": ["cat", "dog"], "counts": [200, 200], "left_out": 3,
    },
    "candidates": [{"arch": name, "classes": 2, "channels": 3} for name in ("wrn16-1", "vgg-small")],
    "arch": "wrn16-1", "normalize": "imagenet", "accuracy": 96.5, "objection": None,
    "tried": [
        {"arch": "wrn16-1", "normalize": name, "scaling": name, "size": None, "colour": "rgb", "accuracy": right,
         "images": 400, "tied": False}
        for name, right in (("imagenet", 96.5), ("none", 41.0))
    ],
}  # fmt: skip
CHANCE = {
    "code": "near_chance",
    "message": "English only",
    "facts": {"arch": "x", "accuracy": 9.9, "normalize": "none"},
}
NO_FIT = {"code": "no_architecture_fits", "message": "English only", "facts": {}}

TWO_PAGES = """
import streamlit as st
from dashboard.components import frame
from dashboard.views import examine, purify
frame.dress()
pages = {
    "examine": st.Page(examine.page, title="examine", url_path="examine", default=True),
    "purify": st.Page(purify.page, title="purify", url_path="purify"),
}
frame.PAGES.update(pages)
st.navigation(list(pages.values())).run()
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "net v2.pth"
    file.write_bytes(b"weights")
    return file


@pytest.fixture
def look(home: Path, weights: Path) -> Callable[..., str]:
    """Leaves the note of an inspection: ``look(step="images")``."""

    def leave(ended: bool = True, result: dict[str, Any] | None = None, **entries: Any) -> str:
        spec = Spec(weights=str(weights), images="digits").to_dict()
        folder = inspection.folder_of(KEY)
        folder.mkdir(parents=True)
        note = {"format": 1, "spec": spec, "worker": identity(), "ended": ended, "result": result or {}}
        write_json(folder / "note.json", note | entries)
        return KEY

    return leave


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Spec]:
    """The orders given to the supervisor and to inspections; nothing is computed."""
    orders: list[Spec] = []

    def start(spec: Spec, title: str | None = None) -> Run:
        orders.append(spec)
        return record.create(spec, title=title)

    def begin(spec: Spec) -> str:
        orders.append(spec)
        return KEY

    monkeypatch.setattr(supervisor, "start", start)
    monkeypatch.setattr(inspection, "start", begin)
    return orders


def examined(make_run: Make, weights: Path, events: list[Event], status: str = "done", **spec: Any) -> Run:
    order = Spec(**{"weights": str(weights), "images": "digits", "arch": "wrn16-1", "normalize": "imagenet"} | spec)
    return make_run("mine", status, events, spec=order.to_dict(), title="net v2.pth")


def events(verdict: str = "strong", after: float | None = 95.0, **result: Any) -> list[Event]:
    told: list[Event] = [
        StageStarted("measure"),
        StageStarted("scan"),
        Scanned(1, 5.3, [44.0, 8.5, None], [100.0, 98.0, 0.2], "trigger.npz", "pixel", [0.1, 4.2, 0.3], verdict,
                {"gap": 5.2}),
        Measured("before", 95.5, 95.1, 88.0, "estimated", 100, 60),
    ]  # fmt: skip
    if after is not None:
        told += [StageStarted("verify"), Measured("after", after, 95.0, 2.0, "estimated", 100, 60)]
    return [*told, Finished({"ba_held": True} | result)]


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


def downloads(app: AppTest) -> list[str]:
    return [button.proto.label for button in app.get("download_button")]


@BOTH
def test_the_first_visit_says_what_to_give(home: Path, open_page: Open, lang: str) -> None:
    app = open_page("examine", lang)
    assert not app.exception
    assert app.title[0].value == catalogue(lang)["examine.title"]
    assert app.button(key="look").disabled
    assert "example" in keys(app)


def test_paths_on_this_machine_can_be_given(home: Path, open_page: Open, weights: Path, asked: list[Spec]) -> None:
    app = open_page("examine")
    for kind in ("weights", "images"):
        app.segmented_control(key=f"give_{kind}_how").set_value("path").run()
    app.text_input(key="give_weights_path").set_value("/nowhere/net.pth").run()
    assert "/nowhere/net.pth" in app.error[0].value
    app.text_input(key="give_weights_path").set_value(f'"{weights}"').run()
    app.text_input(key="give_images_path").set_value(str(weights.parent)).run()
    assert not app.error
    app.button(key="look").click().run()
    assert not app.exception
    assert asked == [Spec(weights=str(weights), images=str(weights.parent))]


def test_image_sets_are_offered_where_they_are(home: Path, open_page: Open) -> None:
    assert "cifar10" not in str(open_page("examine").segmented_control(key="give_images_how").options)
    (home / "data").mkdir(parents=True)
    (home / "data" / "cifar10.npz").write_bytes(b"x")
    options = open_page("examine").segmented_control(key="give_images_how").options
    assert any("CIFAR-10" in option for option in options)
    assert not any("GTSRB" in option for option in options)


def test_a_zip_by_its_path_is_kept_like_an_upload(home: Path, open_page: Open, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as out:
        out.writestr("cat/1.png", b"x")
    app = open_page("examine")
    app.segmented_control(key="give_images_how").set_value("path").run()
    app.text_input(key="give_images_path").set_value(str(tmp_path / "photos.zip")).run()
    assert not app.exception
    assert [upload.name for upload in uploads.everything()] == ["photos.zip"]
    assert "photos" in words(app)
    assert (tmp_path / "photos.zip").exists()


def test_uploads_are_listed_used_and_removed(home: Path, open_page: Open, asked: list[Spec]) -> None:
    net = uploads.keep("weights", "net.pth", io.BytesIO(b"weights"))
    photos = uploads.keep("images", "photos.npz", io.BytesIO(bytes(2_000_000)))
    app = open_page("examine")
    assert "2.0 MB" in str([expander.label for expander in app.expander])
    app.button(key=f"use-{net.id}").click().run()
    app.button(key=f"use-{photos.id}").click().run()
    app.button(key="look").click().run()
    assert asked == [Spec(weights=str(net.file), images=str(photos.file))]
    app = open_page("examine")
    app.button(key=f"remove-{photos.id}").click().run()
    assert not app.exception
    assert [upload.id for upload in uploads.everything()] == [net.id]
    assert not photos.folder.exists()


@BOTH
def test_an_inspection_at_work_says_what_it_does(open_page: Open, look: Callable[..., str], lang: str) -> None:
    look(ended=False, step="unpack", done=30, total=120, seconds_left=65.2, result={"found": RESULT["found"]})
    app = open_page("examine", lang)
    app.query_params["look"] = KEY
    app.run()
    assert not app.exception
    said = words(app)
    assert catalogue(lang)["look.doing.unpack"] in said
    assert catalogue(lang)["phase.left"].format(time="1:05") in said
    assert catalogue(lang)["found.wrapper"].format(where="net") in said
    app.button(key="cancel-look").click().run()
    assert inspection.state(KEY) is None
    assert "look" in keys(app)


def checked(open_page: Open, lang: str = "en") -> AppTest:
    app = open_page("examine", lang)
    app.query_params["look"] = KEY
    return app.run()


@BOTH
def test_what_was_worked_out_is_shown(open_page: Open, look: Callable[..., str], lang: str) -> None:
    look(result=RESULT)
    app = checked(open_page, lang)
    assert not app.exception
    said = words(app)
    for told in ("wrn16-1", "ImageNet", "96.5", "41.0", "32 × 24", catalogue(lang)["look.chosen"]):
        assert told in said, told
    assert catalogue(lang)["look.left_out"].format(count=3) in said
    assert not app.button(key="start-examination").disabled


def test_start_orders_what_was_shown(
    open_page: Open, look: Callable[..., str], weights: Path, asked: list[Spec]
) -> None:
    look(result=RESULT)
    app = checked(open_page)
    app.segmented_control(key="order_do").set_value("scan").run()
    app.segmented_control(key="order_budget_few").set_value(0.1).run()
    app.segmented_control(key="order_budget_few").set_value("number").run()
    app.number_input(key="order_number").set_value(77).run()
    app.selectbox(key="order_target").set_value(1).run()
    app.text_area(key=f"names-{KEY}").set_value("tabby\nhound").run()
    app.button(key="start-examination").click().run()
    assert not app.exception
    expected = Spec(
        weights=str(weights), images="/photos", arch="wrn16-1", normalize="imagenet", scan_only=True, clean_budget=77,
        target=1, class_names=["tabby", "hound"],
    )  # fmt: skip
    # the images of this note are not there, so the order is refused in one sentence
    assert asked == [expected]
    assert "/photos" in app.error[0].value


@pytest.mark.parametrize(("train", "budget"), [(400, 400), (4_000, 500), (50_000, 0.05)])
def test_a_small_set_of_images_is_not_cut_down_to_a_handful(
    open_page: Open, look: Callable[..., str], asked: list[Spec], train: int, budget: float
) -> None:
    look(result=RESULT | {"images": RESULT["images"] | {"train": train}})
    app = checked(open_page)
    app.button(key="start-examination").click().run()
    assert [spec.clean_budget for spec in asked] == [budget]
    assert f"{int(budget if budget >= 1 else budget * train):,}" in words(app)


def test_what_was_worked_out_can_be_overruled(open_page: Open, look: Callable[..., str], asked: list[Spec]) -> None:
    look(result=RESULT)
    app = checked(open_page)
    app.selectbox(key=f"arch-{KEY}").set_value("vgg-small")
    app.selectbox(key=f"scaling-{KEY}").set_value("half")
    app.selectbox(key=f"size-{KEY}").set_value("64")
    app.selectbox(key=f"colour-{KEY}").set_value("bgr")
    next(button for button in app.button if "correct-form" in str(button.key)).click().run()
    assert not app.exception
    assert [(spec.arch, spec.normalize, spec.images) for spec in asked] == [("vgg-small", "half@64:bgr", "/photos")]


@BOTH
def test_a_model_that_does_not_know_the_images_cannot_be_started(
    open_page: Open, look: Callable[..., str], lang: str
) -> None:
    look(result=RESULT | {"objection": CHANCE})
    app = checked(open_page, lang)
    assert not app.exception
    assert "start-examination" not in keys(app)
    assert "9.9" in app.error[0].value
    assert "--arch" not in app.error[0].value
    assert "41.0" in words(app)


@BOTH
def test_files_that_cannot_be_read_lead_to_other_files(open_page: Open, look: Callable[..., str], lang: str) -> None:
    """No name of a network mends a broken file or picture: that form is not offered."""
    failure = {"code": "unreadable_image", "message": "", "facts": {"file": "cat/1.png", "formats": "PNG"}}
    look(failure=failure, result={"found": RESULT["found"]})
    app = checked(open_page, lang)
    assert not app.exception
    assert "cat/1.png" in app.error[0].value
    assert app.button(key="change").proto.type == "primary"
    assert not [box for box in app.selectbox if str(box.key).startswith("arch-")]
    assert catalogue(lang)["look.model"] in words(app)


def test_an_upload_at_fault_goes_by_the_visitors_name(
    open_page: Open, home: Path, look: Callable[..., str], weights: Path
) -> None:
    upload = uploads.keep("images", "my photos.zip", io.BytesIO(b"PK"))
    spec = Spec(weights=str(weights), images=str(upload.file)).to_dict()
    picture = str(upload.unpacked / "cat" / "1.png")
    failure = {"code": "unreadable_image", "message": "", "facts": {"file": picture, "formats": "PNG"}}
    look(failure=failure, spec=spec)
    said = checked(open_page).error[0].value
    assert "my photos.zip/cat/1.png" in said
    assert str(home) not in said


@pytest.mark.parametrize(("code", "open_"), [("near_chance", True), ("classes_renumbered", False)])
def test_the_form_opens_where_a_name_may_mend_it(
    open_page: Open, look: Callable[..., str], code: str, open_: bool
) -> None:
    look(result=RESULT | {"objection": CHANCE | {"code": code}})
    form = next(box for box in checked(open_page).expander if box.label == catalogue("en")["look.correct"])
    assert form.proto.expanded is open_


def test_the_command_names_the_folder_a_zip_was_unpacked_to(
    open_page: Open, home: Path, look: Callable[..., str], weights: Path
) -> None:
    upload = uploads.keep("images", "photos.zip", io.BytesIO(b"PK"))
    spec = Spec(weights=str(weights), images=str(upload.file)).to_dict()
    look(failure=NO_FIT, result={"images": RESULT["images"] | {"path": str(upload.unpacked)}}, spec=spec)
    assert f"--images {upload.unpacked} " in checked(open_page).code[0].value


@BOTH
def test_an_unknown_network_leads_to_the_command_line(open_page: Open, look: Callable[..., str], lang: str) -> None:
    look(failure=NO_FIT, result={key: RESULT[key] for key in ("found", "images")})
    app = checked(open_page, lang)
    assert not app.exception
    assert "English only" not in app.error[0].value
    assert "--model-class net.py:Net" in app.code[0].value
    assert "'" in app.code[0].value  # the file's name has a space in it
    assert {"retry-look", "change"} <= keys(app)


def test_other_files_keep_what_was_given(open_page: Open, look: Callable[..., str], weights: Path) -> None:
    look(result=RESULT)
    app = checked(open_page)
    app.button(key="change").click().run()
    assert not app.exception
    assert app.text_input(key="give_weights_path").value == str(weights)


@BOTH
@pytest.mark.parametrize("verdict", ["strong", "some", "none"])
def test_the_verdict_comes_with_what_the_scan_cannot_see(
    open_page: Open, make_run: Make, weights: Path, verdict: str, lang: str
) -> None:
    examined(make_run, weights, events(verdict))
    app = open_page("examine", lang, run="mine")
    assert not app.exception
    said = words(app)
    assert catalogue(lang)[f"verdict.{verdict}"] in said
    assert catalogue(lang)["limits.hidden"] in said
    assert catalogue(lang)["outcome.estimated_note"] in said
    assert catalogue(lang)["outcome.asr_true"] not in said
    assert app.title[0].value == "net v2.pth"


def test_the_purified_model_can_be_taken_away(open_page: Open, make_run: Make, weights: Path) -> None:
    run = examined(make_run, weights, events())
    for name in ("model.safetensors", "model.pt", "card.json"):
        (run.folder / name).write_bytes(b"x")
    offered = downloads(open_page("examine", run="mine"))
    assert offered[:3] == ["model.safetensors", "model.pt", "card.json"]
    assert catalogue("en")["report.do.html"] in offered[3:]


@BOTH
def test_where_accuracy_was_not_held_there_is_nothing_to_take(
    open_page: Open, make_run: Make, weights: Path, lang: str
) -> None:
    examined(make_run, weights, events(after=80.0, ba_held=False))
    app = open_page("examine", lang, run="mine")
    assert not [name for name in downloads(app) if "model" in name or "card" in name]
    assert catalogue(lang)["outcome.not_held"] in words(app)


def test_a_scan_leads_to_a_purification(open_page: Open, make_run: Make, weights: Path, asked: list[Spec]) -> None:
    run = examined(make_run, weights, events(after=None), scan_only=True)
    app = open_page("examine", run="mine")
    assert catalogue("en")["outcome.title_scan"] in words(app)
    assert catalogue("en")["outcome.waiting"] not in words(app)  # it has ended
    assert f"<b>{catalogue('en')['phase.purify']}</b>" not in words(app).split("dz-next")[0]  # its track
    app.button(key="purify").click().run()
    assert not app.exception
    assert asked[0].to_dict() == run.spec.to_dict() | {"scan_only": False}


def test_correcting_starts_from_the_same_files(
    open_page: Open, make_run: Make, weights: Path, asked: list[Spec]
) -> None:
    examined(make_run, weights, events())
    app = open_page("examine", run="mine")
    app.button(key="correct").click().run()
    assert not app.exception
    assert (asked[0].weights, asked[0].images, asked[0].arch) == (str(weights), "digits", "wrn16-1")


@pytest.mark.parametrize(
    ("status", "step"),
    [("stopped", "resume"), ("running", "resume"), ("failed", "retry")],
    ids=["stopped", "lost", "failed"],
)
def test_each_state_offers_its_next_step(
    open_page: Open, make_run: Make, weights: Path, status: str, step: str
) -> None:
    run = examined(make_run, weights, [], status)
    run.update(failure=NO_FIT if status == "failed" else None)
    app = open_page("examine", run="mine")
    assert not app.exception
    assert {step, "correct", "another"} <= keys(app)


def test_earlier_examinations_are_found_again(open_page: Open, make_run: Make, weights: Path) -> None:
    examined(make_run, weights, events())
    make_run("lab", "done")
    app = open_page("examine")
    assert catalogue("en")["verdict.short.strong"] in words(app)
    assert "open-lab" not in keys(app)
    app.button(key="open-mine").click().run()
    assert app.query_params["run"] == "mine"


def test_a_run_whose_upload_was_removed_says_so(open_page: Open, make_run: Make, home: Path) -> None:
    upload = uploads.keep("weights", "net.pth", io.BytesIO(b"weights"))
    examined(make_run, upload.file, events())
    assert not open_page("examine", run="mine").info
    uploads.remove(upload)
    assert catalogue("en")["examine.upload_gone"] in open_page("examine", run="mine").info[0].value


@BOTH
def test_a_run_of_a_shipped_victim_is_shown_on_its_own_page(make_run: Make, lang: str) -> None:
    """There is nothing of a stranger's in it to correct or to give again."""
    make_run("lab", "done")
    app = AppTest.from_string(TWO_PAGES, default_timeout=60)
    app.context = {"locale": "en-GB", "timezone": "UTC"}
    app.query_params["lang"], app.query_params["run"] = lang, "lab"
    app.run()
    assert not app.exception
    assert app.query_params["run"] == "lab"
    assert not {"correct", "another"} & keys(app)
    assert "BadNets" in app.title[0].value
    assert catalogue(lang)["outcome.estimated_note"] not in words(app)  # the attack is known, so the true rate is shown


def test_a_strangers_run_asked_for_on_the_purify_page_is_shown_here(
    open_page: Open, make_run: Make, weights: Path
) -> None:
    """Its figures are estimates, and a scan purified nothing: the sentences there would say otherwise."""
    examined(make_run, weights, events(after=None), scan_only=True)
    app = AppTest.from_string(TWO_PAGES.replace(", default=True", "").replace('"purify")', '"purify", default=True)'))
    app.default_timeout = 60
    app.context = {"locale": "en-GB", "timezone": "UTC"}
    app.query_params["lang"], app.query_params["run"] = "en", "mine"
    app.run()
    assert not app.exception
    assert app.query_params["run"] == "mine"
    assert {"purify", "correct", "another"} <= keys(app)
    assert catalogue("en")["lead.done_bare"] not in words(app)


def test_halves_that_an_earlier_server_left_go_with_the_first_visit(home: Path, open_page: Open) -> None:
    half = home / "uploads" / ".0123456789ab"
    half.mkdir(parents=True)
    os.utime(half, (1e9, 1e9))
    assert not open_page("examine").exception
    assert not half.exists()


def test_images_unpacked_by_another_tab_are_looked_at_where_they_lie(
    open_page: Open, look: Callable[..., str], weights: Path, asked: list[Spec]
) -> None:
    photos = uploads.keep("images", "photos.zip", io.BytesIO(b"PK"))
    order = Spec(weights=str(weights), images=str(photos.file)).to_dict()
    look(spec=order, failure=NO_FIT, result={"found": RESULT["found"]})
    photos.unpacked.mkdir()
    photos.file.unlink()
    app = checked(open_page)
    next(button for button in app.button if "correct-form" in str(button.key)).click().run()
    assert not app.exception
    assert [spec.images for spec in asked] == [str(photos.unpacked)]


def test_what_is_gone_leads_to_the_start(home: Path, open_page: Open) -> None:
    app = open_page("examine", run="../../etc")
    assert not app.exception
    assert "../../etc" in app.info[0].value
    assert "look" in keys(app)


def test_no_page_names_a_class_that_would_be_executed() -> None:
    pages = Path(__file__).resolve().parents[2] / "dashboard"
    assert not [file for file in pages.rglob("*.py") if "model_class=" in file.read_text(encoding="utf-8")]


@BOTH
def test_a_refused_start_says_why(
    open_page: Open, look: Callable[..., str], monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    def start(spec: Spec, title: str | None = None) -> Run:
        raise BadInput("class_names_differ", "English only", names=2, classes=10)

    monkeypatch.setattr(supervisor, "start", start)
    look(result=RESULT)
    app = checked(open_page, lang)
    app.button(key="start-examination").click().run()
    assert "10" in app.error[0].value
    assert "English only" not in app.error[0].value


@BOTH
@pytest.mark.parametrize(("given", "told"), [(2, True), (1, False)])
def test_a_target_that_was_given_is_told_from_the_one_found(
    open_page: Open, make_run: Make, weights: Path, given: int, told: bool, lang: str
) -> None:
    """The verdict is of class 1, which the scan points to; nothing was done against it if another one was given."""
    examined(make_run, weights, events(target=given), target=given)
    app = open_page("examine", lang, run="mine")
    assert not app.exception
    assert ({"en": "Nothing was done against", "ja": "への対策は行っていません"}[lang] in words(app)) is told


@BOTH
def test_without_a_sign_the_smallest_change_is_not_called_an_attack(
    open_page: Open, make_run: Make, weights: Path, lang: str
) -> None:
    examined(make_run, weights, events("none"))
    app = open_page("examine", lang, run="mine")
    assert not app.exception
    assert {"en": "every network has such a change", "ja": "こうした変更はどのモデルにもあります"}[lang] in words(app)
