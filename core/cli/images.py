"""``data``: what is in an image set, and a contact sheet of it."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli.options import add_json, add_seed
from core.cli.terminal import CountBar, table
from core.data import FETCHED, IMAGE_SETS, load
from core.errors import BadInput
from core.files import strict_json

if TYPE_CHECKING:
    from core.data.imageset import ImageSet

A_ROW = 12  # images of a class on the contact sheet
MIN_SIDE = 48  # pixels of an image on the sheet


def data_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core data                                  the image sets there are\n"
        "  python -m core data signs --sheet signs.png          look at it\n"
        "  python -m core data gtsrb --download                 fetch it, with a network\n"
        "  python -m core data photos/                          your own: photos/<class>/*.png, or an .npz"
    )
    command.add_argument("name", nargs="?", metavar="NAME", help=f"{', '.join(IMAGE_SETS)}, a folder or an .npz file")
    command.add_argument("--root", type=Path, metavar="DIR", help=f"where {' and '.join(FETCHED)} are kept")
    command.add_argument("--download", action="store_true", help=f"fetch {' or '.join(FETCHED)} if it is not there")
    command.add_argument("--sheet", type=Path, metavar="FILE", help="write a contact sheet, one row per class")
    add_seed(command, "which drawing of signs, or which split of your own images")
    add_json(command)


def data(arguments: argparse.Namespace) -> int:
    if arguments.name is None:
        print(table(["image set", ""], [[name, known.about] for name, known in IMAGE_SETS.items()]))
        return 0
    with CountBar(f"Loading {arguments.name}", unit="B" if arguments.download else "") as bar:
        images = load(
            arguments.name, root=arguments.root, download=arguments.download, progress=bar, seed=arguments.seed
        )
    if arguments.sheet:
        _write_sheet(images, arguments.sheet)
    train, test = Counter(images.y_train.tolist()), Counter(images.y_test.tolist())
    height, width = images.size
    classes = range(images.num_classes)
    if arguments.json:
        counts = {"train": [train[k] for k in classes], "test": [test[k] for k in classes]}
        facts = {"name": images.name, "height": height, "width": width, "classes": images.class_names, **counts}
        facts["notes"] = [note.message for note in images.notes]
        print(strict_json(facts | {"sheet": arguments.sheet}))
        return 0
    for note in images.notes:
        print(note.message)
    total = f"{len(images.y_train)} training and {len(images.y_test)} test images"
    print(f"{images.name}: {total} of {width} x {height} pixels in {images.num_classes} classes")
    rows = [[k, name, train[k], test[k]] for k, name in enumerate(images.class_names)]
    print(table(["class", "name", "train", "test"], rows))
    if arguments.sheet:
        print(f"Contact sheet: {arguments.sheet}")
    return 0


def _write_sheet(images: ImageSet, path: Path) -> None:
    """One row of test images per class, enlarged so that a person sees them."""
    from PIL import Image

    height, width = images.size
    factor = max(1, -(-MIN_SIDE // max(height, width)))
    sheet = Image.new("RGB", (A_ROW * (width * factor + 2), images.num_classes * (height * factor + 2)), "white")
    for k in range(images.num_classes):
        chosen = (images.y_test == k).nonzero().flatten()[:A_ROW].tolist()
        for column, i in enumerate(chosen):
            pixels = Image.fromarray(images.x_test[i].permute(1, 2, 0).numpy())
            place = column * (width * factor + 2) + 1, k * (height * factor + 2) + 1
            sheet.paste(pixels.resize((width * factor, height * factor), Image.Resampling.NEAREST), place)
    try:
        sheet.save(path)
    except (OSError, ValueError) as error:
        raise BadInput(
            "sheet_not_written",
            f"The contact sheet cannot be written to {path} ({error}); give a file name that ends in .png or .jpg.",
            path=str(path),
            reason=str(error),
        ) from None
