"""The command line: ``python -m core COMMAND``. Imports torch only in the commands that need it."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from core import __version__
from core.attacks import ATTACKS
from core.data import IMAGE_SETS
from core.defenses import COMPARED, DEFENCES, PRESETS
from core.errors import BadInput
from core.options import (
    BAD_INPUT,
    DONE,
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    Help,
    Parser,
    add_device,
    add_json,
    add_seed,
    add_settings,
    budget,
    names,
)
from core.runs.files import NOT_WRITTEN
from core.runs.spec import NORMALIZATIONS, POINTS, PROJECTIONS, Spec
from core.words import LANGUAGES


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (argparse itself leaves with 2 where it cannot read the arguments)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding lacks, such as a Japanese class's name, in escapes
            stream.reconfigure(errors="backslashreplace")
    top = parser()
    if not (sys.argv[1:] if argv is None else argv):
        top.print_help()
        return BAD_INPUT
    arguments = top.parse_args(argv)
    module, function = arguments.handler.split(":")
    try:
        return int(getattr(import_module(f"core.commands.{module}"), function)(arguments))
    except BadInput as error:
        print(error.message, file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # "| head" has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        if error.errno not in NOT_WRITTEN:
            raise
        print(f"{error.filename or 'A file'} could not be written: {error.strerror}.", file=sys.stderr)
        return FAILED


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="python -m core",
        formatter_class=Help,
        description="Dissolve: find the backdoor in an image classifier, and purify the classifier.",
        epilog="Try it, with nothing to prepare:\n"
        "  python -m core purify                    purify the default backdoored model\n"
        "  python -m core runs                      what has been run\n"
        "  python -m core replay last               how it went, step by step\n"
        "  python -m core report last               one page about it, to take away\n"
        "  python -m core compare                   several defences on that model\n"
        "Your own model:\n"
        "  python -m core purify weights.safetensors --images photos/ --arch wrn16-1\n"
        "Each command explains itself: python -m core purify --help\n\n" + EXIT_CODES,
    )
    top.add_argument("--version", action="version", version=f"Dissolve {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_data(commands)
    _add_train(commands)
    _add_purify(commands)
    _add_scan(commands)
    _add_compare(commands)
    _add_runs(commands)
    _add_replay(commands)
    _add_report(commands)
    _add_explore(commands)
    work = commands.add_parser("work", help="do the work of a run (started by the dashboard)", formatter_class=Help)
    work.add_argument("run", metavar="RUN", help="the run's folder")
    work.set_defaults(handler="work:work")
    return top


def _command(commands: Any, name: str, handler: str, short: str, epilog: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=short, description=short, epilog=epilog, formatter_class=Help)
    command.set_defaults(handler=handler)
    return command


def _add_data(commands: Any) -> None:
    command = _command(
        commands, "data", "images:data", "Describe an image set: sizes, classes, images per class.",
        "examples:\n"
        "  python -m core data                                  the image sets there are\n"
        "  python -m core data signs --sheet signs.png          look at it\n"
        "  python -m core data gtsrb --download                 fetch it, with a network\n"
        "  python -m core data photos/                          your own: photos/<class>/*.png, or an .npz",
    )  # fmt: skip
    command.add_argument("name", nargs="?", metavar="NAME", help=f"{', '.join(IMAGE_SETS)}, a folder or an .npz file")
    command.add_argument("--root", type=Path, metavar="DIR", help="where CIFAR-10 and GTSRB are kept")
    command.add_argument("--download", action="store_true", help="fetch CIFAR-10 or GTSRB if it is not there")
    command.add_argument("--sheet", type=Path, metavar="FILE", help="write a contact sheet, one row per class")
    add_seed(command, "which drawing of signs, or which split of your own images")
    add_json(command)


def _add_train(commands: Any) -> None:
    command = _command(
        commands, "train", "train:train", "Train a backdoored model for the lab, on a poisoned training set.",
        "examples:\n"
        "  python -m core train --data signs --attack badnets --target 2 --out victim\n"
        "  python -m core train --data digits --attack blended --attack-set alpha=0.15 --epochs 8\n"
        "  python -m core train --data cifar10 --attack wanet --arch wrn16-1 --epochs 60\n"
        "writes victim.safetensors and victim.json, a card with the measured BA and ASR.",
    )  # fmt: skip
    command.add_argument("--data", default="signs", metavar="NAME", help=f"{', '.join(IMAGE_SETS)}, a folder or .npz")
    command.add_argument("--root", type=Path, metavar="DIR", help="where CIFAR-10 and GTSRB are kept")
    command.add_argument("--download", action="store_true", help="fetch CIFAR-10 or GTSRB if it is not there")
    command.add_argument("--attack", default="badnets", help=f"the trigger: {', '.join(ATTACKS)}")
    add_settings(command, "--attack-set", "a setting of the attack; repeat for more")
    command.add_argument("--target", type=int, default=0, metavar="K", help="class the trigger leads to")
    command.add_argument("--rate", type=float, default=0.1, help="share of the training images that is poisoned, 0-1")
    command.add_argument(
        "--arch", default="small", metavar="NAME", help="small, wrn16-1, preact-resnet18, torchvision/NAME"
    )
    command.add_argument("--epochs", type=int, metavar="N", help="passes over the training set")
    add_settings(command, "--train-set", "a setting of the training, such as lr=0.05; repeat for more")
    command.add_argument("--out", type=Path, metavar="NAME", help="write NAME.safetensors and NAME.json here")
    add_seed(command, "of the network, the poisoning and the order of images")
    add_device(command)
    add_json(command)


def _add_purify(commands: Any) -> None:
    command = _command(
        commands, "purify", "purify:purify", "Find the backdoor of a model and remove it.",
        "examples:\n"
        "  python -m core purify                                            the default backdoored model\n"
        "  python -m core purify --victim signs-blended --projection pca    another shipped one\n"
        "  python -m core purify --defence fp                               another defence: fine-pruning\n"
        "  python -m core purify model.pth --images photos/ --arch wrn16-1 --normalize cifar10 --out clean\n"
        "  python -m core purify model.pth --images data.npz --clean-budget 200 --json | tail -1\n"
        "The clean budget is drawn from the training images; the figures are taken on the test images. The result is\n"
        "RUN/model.safetensors, with the keys the weights came in with. The dashboard shows the run while it goes on.\n"
        "Ctrl-C stops it; python -m core runs resume RUN goes on.\n\n" + EXIT_CODES,
    )  # fmt: skip
    _add_model(command)
    command.add_argument("--defence", default=Spec.defence, metavar="NAME", help=f"the method: {', '.join(DEFENCES)}")
    command.add_argument("--preset", default=Spec.preset, metavar="NAME", help=f"its settings: {', '.join(PRESETS)}")
    add_settings(
        command,
        "--set",
        "a setting of the defence, such as lr=0.005; repeat for more. epochs is an upper bound: mcl ends earlier where "
        "the attack is gone",
    )
    command.add_argument(
        "--projection", default=Spec.projection, metavar="NAME", help=f"method: {', '.join(PROJECTIONS)}"
    )
    command.add_argument("--dims", type=int, default=Spec.dims, metavar="N", help="dimensions of the map, 2 or 3")
    command.add_argument(
        "--points", type=int, default=Spec.points, metavar="N", help=f"images on the map, {POINTS[0]}-{POINTS[1]}"
    )
    command.add_argument(
        "--live", action="store_true", help="as many frames of the map as the dashboard takes; else some ten: faster"
    )
    command.add_argument("--no-map", dest="map", action="store_false", help="compute no map: faster, figures only")
    command.add_argument(
        "--accept",
        default=argparse.SUPPRESS,
        metavar="WHAT",
        help="not-cured: hand the purified model out even if it is not cured",
    )


def _add_compare(commands: Any) -> None:
    command = _command(
        commands, "compare", "compare:compare", "Run several defences on one model, one after the other, and compare.",
        "examples:\n"
        "  python -m core compare\n"
        "  python -m core compare --victim digits-badnets --defences mcl,ft,nc --json | tail -1\n"
        "Every defence gets the same clean images and seed. Each is a run of its own, which the dashboard and\n"
        "python -m core runs show too. One attack and one seed say little about other models.\n\n" + EXIT_CODES,
    )  # fmt: skip
    _add_model(command, one_run=False)
    command.add_argument(
        "--defences",
        type=names,
        default=list(COMPARED),
        metavar="NAMES",
        help=f"some of {', '.join(DEFENCES)}; {', '.join(COMPARED)} if nothing is said",
    )
    command.set_defaults(map=False)


def _add_scan(commands: Any) -> None:
    command = _command(
        commands, "scan", "purify:scan", "Measure a model and look for a backdoor; the model stays as it is.",
        "examples:\n"
        "  python -m core scan\n"
        "  python -m core scan model.safetensors --images photos/ --arch wrn16-1 --json\n"
        "A finding is evidence. Finding nothing means no sign of the kinds of backdoor this scan covers.\n\n"
        + EXIT_CODES,
    )  # fmt: skip
    _add_model(command)
    command.set_defaults(map=False)


def _add_model(command: argparse.ArgumentParser, one_run: bool = True) -> None:
    """What ``purify``, ``scan`` and ``compare`` share; the names are those of ``Spec``."""
    command.add_argument(
        "weights", nargs="?", metavar="WEIGHTS", help="safetensors or PyTorch file, or the name of a shipped victim"
    )
    command.add_argument("--victim", metavar="NAME", help="a shipped backdoored model, instead of WEIGHTS")
    command.add_argument(
        "--images", metavar="DIR_OR_NPZ", help=f"labelled clean images: a folder, an .npz, or {', '.join(IMAGE_SETS)}"
    )
    command.add_argument(
        "--arch",
        metavar="NAME",
        help="network of WEIGHTS: small, wrn16-1, vgg-small, preact-resnet18, torchvision/NAME, timm/NAME; else found",
    )
    command.add_argument(
        "--model-class", metavar="FILE:CLASS",
        help="network of WEIGHTS as your own class, for example nets.py:Net; the file is executed, so only your own",
    )  # fmt: skip
    command.add_argument(
        "--normalize",
        metavar="NAME",
        help=f"input scaling of WEIGHTS: {', '.join(NORMALIZATIONS)}, or MEAN/STD in numbers (0.3/0.35, or "
        "0.49,0.48,0.45/0.2,0.2,0.2); with @SIZE or :bgr, :grey; else found",
    )
    command.add_argument(
        "--clean-budget", type=budget, metavar="SHARE_OR_COUNT",
        help="clean images to use: a share below 1 (or 5%%), or a number of images (default: 0.05, and with your own "
        "WEIGHTS no fewer than 500 images, or all there are)",
    )  # fmt: skip
    command.add_argument("--target", type=int, metavar="K", help="target class, if it is known; else it is found")
    out = "folder for the run, new or empty; else one is made" if one_run else argparse.SUPPRESS  # is refused by name
    command.add_argument("--out", type=Path, metavar="RUN", help=out)
    add_seed(command, "of everything that is drawn at random")
    add_device(command)
    add_json(command)


def _add_runs(commands: Any) -> None:
    command = _command(
        commands, "runs", "runs:runs", "List runs, look at one, steer or delete it.",
        "examples:\n"
        "  python -m core runs\n"
        "  python -m core runs show last\n"
        "  python -m core runs resume 20261122-203301-signs-badnets-4f2a\n"
        "RUN is an id, a folder, or 'last' for the newest.",
    )  # fmt: skip
    add_json(command)
    actions = command.add_subparsers(title="actions", metavar="ACTION", dest="action")
    for name, short in (
        ("list", "list the runs (as without an action)"),
        ("show", "how a run stands and what it found"),
        ("pause", "pause a run before its next step"),
        ("resume", "let a paused run go on; take a stopped, failed or lost one up from its last checkpoint"),
        ("stop", "stop a run before its next step"),
        ("kill", "end the worker of a run that does not react"),
        ("delete", "delete a run and its folder"),
    ):
        action = actions.add_parser(name, help=short, description=short, formatter_class=Help)
        if name != "list":
            action.add_argument("run", metavar="RUN", help="id, folder, or last")
            action.set_defaults(handler="runs:show" if name == "show" else "runs:steer")
        if name in ("list", "show"):
            add_json(action, default=argparse.SUPPRESS)  # "runs --json list" counts too


def _add_replay(commands: Any) -> None:
    command = _command(
        commands, "replay", "runs:replay", "Print how a run went: its figures at every frame, at the pace they came.",
        "examples:\n"
        "  python -m core replay last\n"
        "  python -m core replay last --speed 0",
    )  # fmt: skip
    command.add_argument("run", metavar="RUN", help="id, folder, or last")
    command.add_argument("--speed", type=float, default=1.0, help="2 is twice as fast, 0 all at once")


def _add_explore(commands: Any) -> None:
    command = _command(
        commands, "explore", "explore:explore", "Compute what the page Explore shows of a run's feature space.",
        "examples:\n"
        "  python -m core explore last                           features, neighbours, suspicion\n"
        "  python -m core explore signs-badnets --map tsne       another projection of them\n"
        "  python -m core explore signs-badnets --settled metric=cosine,seed=none   a map by umap-learn\n"
        "  python -m core explore signs-badnets --settled dims=2 --place sign.png   your picture on that map\n"
        "  python -m core explore signs-badnets --saliency 12    where the models look in image 12 of the map\n"
        "Works on shipped recordings too; their results are kept in the cache.",
    )  # fmt: skip
    command.add_argument("run", metavar="RUN", help="id, folder, or last")
    command.add_argument("--map", metavar="NAME", help=f"project the features again: {', '.join(PROJECTIONS)}")
    command.add_argument("--dims", type=int, default=2, metavar="N", help="dimensions of that map, 2 or 3")
    command.add_argument(
        "--settled", nargs="?", const="", metavar="NAME=VALUE,...",
        help="draw a map to its end with umap-learn: dims, n_neighbors, min_dist, metric (euclidean, cosine), "
        "densmap (yes, no), supervised (none, class, answer), seed (a number, or none)",
    )  # fmt: skip
    command.add_argument("--place", type=Path, metavar="FILE", help="where a picture of yours lies on that map")
    command.add_argument("--saliency", type=int, metavar="POINT", help="where the models look in one image of the map")
    command.add_argument(
        "--linger", type=float, default=0, metavar="S", help="wait S seconds for the page to ask for another image"
    )
    add_json(command)


def _add_report(commands: Any) -> None:
    command = _command(
        commands, "report", "report:report", "Write the report of a run: one page to read, send or print.",
        "examples:\n"
        "  python -m core report last\n"
        "  python -m core report signs-badnets --lang ja --pdf --out .     a shipped recording\n"
        "  python -m core report last --json | tail -1                     the recommendation, for a program\n"
        "Any run has a report, one that goes on or failed too: it says how things stand. The HTML file needs no\n"
        "network and no other file. --pdf prints it with the Chromium, Chrome or Edge of this computer\n"
        "($DISSOLVE_BROWSER names another one).",
    )  # fmt: skip
    command.add_argument("run", metavar="RUN", help="id, folder, or last")
    command.add_argument(
        "--out", type=Path, metavar="DIR",
        help="folder for the report; else the run's own, and for a recording the folder reports of your home",
    )  # fmt: skip
    command.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the report")
    command.add_argument("--pdf", action="store_true", help="write a PDF beside the HTML file")
    add_json(command)
