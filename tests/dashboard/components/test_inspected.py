"""What an inspection found out is shown and can be corrected, and what it could not read leads to a way on."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.files import write_json
from core.intake import inspection, uploads
from core.runs.spec import Spec
from dashboard.components import inspected
from dashboard.i18n import catalogue
from tests.dashboard.conftest import Asked, words
from tests.dashboard.examinations import CHANCE, KEY, NO_FIT, RESULT, Open, checked, keys, result_in

BOTH = pytest.mark.parametrize("lang", ["en", "ja"])


@BOTH
def test_an_inspection_at_work_says_what_it_does(open_page: Open, look: Callable[..., str], lang: str) -> None:
    look(ended=False, stage="unpack", done=30, total=120, left=65.2, result={"found": RESULT["found"]})
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


@BOTH
def test_each_tensor_that_has_another_name_in_the_network_is_listed(
    open_page: Open, look: Callable[..., str], lang: str
) -> None:
    look(result=RESULT | {"names": {"body.0.weight": "conv1.weight"}})
    app = checked(open_page, lang)
    assert not app.exception
    label = catalogue(lang)["look.tensors"].format(count=1)
    assert label in [expander.label for expander in app.expander]
    said = words(app)
    assert "body.0.weight" in said
    assert "conv1.weight" in said


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


def correct(app: AppTest, **wanted: str) -> None:
    for field, value in wanted.items():
        app.selectbox(key=f"{field}-{KEY}").set_value(value)
    next(button for button in app.button if "correct-form" in str(button.key)).click().run()


def test_what_was_worked_out_can_be_overruled(
    open_page: Open, look: Callable[..., str], weights: Path, asked: Asked
) -> None:
    look(result=result_in(weights.parent))
    app = checked(open_page)
    correct(app, arch="vgg-small", scaling="half", size="64", colour="bgr")
    assert not app.exception
    assert [(spec.arch, spec.normalize, spec.images) for spec in asked()] == [
        ("vgg-small", "half@64:bgr", str(weights.parent))
    ]


def test_a_correction_that_made_it_worse_can_be_undone(
    open_page: Open, look: Callable[..., str], weights: Path, asked: Asked
) -> None:
    look(result=result_in(weights.parent))
    app = checked(open_page)
    correct(app, scaling="none")
    assert len(asked()) == 1
    note = inspection.folder_of(app.query_params["look"]) / "note.json"
    for accuracy, worse in ((96.0, False), (41.0, True)):  # half a point may be chance
        found = result_in(weights.parent) | {"accuracy": accuracy}
        write_json(note, json.loads(note.read_text()) | {"ended": True, "result": found})
        app.run()
        assert ("undo-correction" in keys(app)) == worse
    assert "41.0" in app.warning[0].value
    assert "96.5" in app.warning[0].value
    app.button(key="undo-correction").click().run()
    assert app.query_params["look"] == KEY
    assert "undo-correction" not in keys(app)


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


def test_images_unpacked_by_another_tab_are_looked_at_where_they_lie(
    open_page: Open, look: Callable[..., str], weights: Path, asked: Asked
) -> None:
    photos = uploads.keep("images", "photos.zip", io.BytesIO(b"PK"))
    order = Spec(weights=str(weights), images=str(photos.file)).to_dict()
    look(spec=order, failure=NO_FIT, result={"found": RESULT["found"]})
    photos.unpacked.mkdir()
    photos.file.unlink()
    app = checked(open_page)
    next(button for button in app.button if "correct-form" in str(button.key)).click().run()
    assert not app.exception
    assert [spec.images for spec in asked()] == [str(photos.unpacked)]


def test_few_test_images_come_with_the_number_that_would_decide() -> None:
    classes = [str(k) for k in range(10)]
    said = inspected.few({"classes": classes, "test": 120})
    assert "120" in said
    assert "5.1" in said  # one miss among the 108 images of the other classes
    need = next(int(word) for word in said.replace(",", "").split() if word.isdecimal() and int(word) > 120)
    assert inspected.few({"classes": classes, "test": need}) == ""


def test_too_few_test_images_are_told_before_the_start(open_page: Open, look: Callable[..., str]) -> None:
    look(result=RESULT | {"images": RESULT["images"] | {"test": 24}})
    app = checked(open_page)
    assert not app.exception
    assert "24" in app.warning[0].value
