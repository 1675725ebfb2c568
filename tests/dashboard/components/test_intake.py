"""Giving a stranger's model and images: by path, as an upload, from what lies here, and again."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from core.intake import uploads
from core.runs.spec import Spec
from tests.dashboard.conftest import Asked, words
from tests.dashboard.examinations import RESULT, Open, checked


def test_paths_on_this_machine_can_be_given(home: Path, open_page: Open, weights: Path, asked: Asked) -> None:
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
    assert asked() == [Spec(weights=str(weights), images=str(weights.parent))]


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


def test_uploads_are_listed_used_and_removed(home: Path, open_page: Open, asked: Asked) -> None:
    net = uploads.keep("weights", "net.pth", io.BytesIO(b"weights"))
    photos = uploads.keep("images", "photos.npz", io.BytesIO(bytes(2_000_000)))
    app = open_page("examine")
    assert "2.0 MB" in str([expander.label for expander in app.expander])
    app.button(key=f"use-{net.id}").click().run()
    app.button(key=f"use-{photos.id}").click().run()
    app.button(key="look").click().run()
    assert asked() == [Spec(weights=str(net.file), images=str(photos.file))]
    app = open_page("examine")
    app.button(key=f"remove-{photos.id}").click().run()
    assert not app.exception
    assert [upload.id for upload in uploads.everything()] == [net.id]
    assert not photos.folder.exists()


def test_other_files_keep_what_was_given(open_page: Open, look: Callable[..., str], weights: Path) -> None:
    look(result=RESULT)
    app = checked(open_page)
    app.button(key="change").click().run()
    assert not app.exception
    assert app.text_input(key="give_weights_path").value == str(weights)
