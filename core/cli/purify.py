"""``purify`` and ``scan``: a run in this process, on a record that the dashboard can watch meanwhile."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from core import paths, victims
from core.cli.options import (
    BAD_INPUT,
    DONE,
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    NOT_HELD,
    add_device,
    add_json,
    add_seed,
    add_settings,
    budget,
)
from core.cli.result import figures, summary, withheld
from core.cli.terminal import RunBars
from core.data import IMAGE_SETS
from core.data.inputs import NORMALIZATIONS
from core.defenses import DEFENCES, PRESETS
from core.engine import worker
from core.events import Event, StageStarted
from core.files import strict_json
from core.models import NAMED
from core.runs import record, supervisor
from core.runs.record import Run
from core.runs.spec import POINTS, PROJECTIONS, REPEATS, Spec


def purify_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core purify                                            the default backdoored model\n"
        "  python -m core purify --victim signs-blended --projection pca    another shipped one\n"
        "  python -m core purify --defence fp                               another defence: fine-pruning\n"
        "  python -m core purify model.pth --images photos/ --arch wrn16-1 --normalize cifar10 --out clean\n"
        "  python -m core purify model.pth --images data.npz --clean-budget 200 --json | tail -1\n"
        "The clean budget is drawn from the training images; the figures are taken on the test images. The result is\n"
        "RUN/model.safetensors, with the keys the weights came in with; of an ONNX file, RUN/model.onnx too.\n"
        "The dashboard shows the run while it goes on. Ctrl-C stops it; python -m core runs resume RUN goes on.\n\n"
        + EXIT_CODES
    )
    add_model(command)
    command.add_argument("--defence", default=Spec.defence, metavar="NAME", help=f"the method: {', '.join(DEFENCES)}")
    command.add_argument("--preset", default=Spec.preset, metavar="NAME", help=f"its settings: {', '.join(PRESETS)}")
    add_settings(
        command,
        "--set",
        "a setting of the defence, such as lr=0.005; repeat for more. Of mcl, epochs is an upper bound, of 40 steps at "
        "least: it ends earlier where the attack is gone, and takes 80 steps where no trigger is sure",
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
        "--scan-of",
        metavar="RUN",
        help='take over the scan of this earlier run of the same model, or of the "last", instead of scanning',
    )
    command.add_argument(
        "--repeats", type=int, default=Spec.repeats, metavar="N",
        help=f"how often to purify again, from {REPEATS[0]} to {REPEATS[1]}: each time against a class that only the "
        "new scan of the purified model names, and not if --target is given",
    )  # fmt: skip
    command.add_argument(
        "--accept",
        default=argparse.SUPPRESS,
        metavar="WHAT",
        help="not-cured: hand the purified model out even if it is not cured",
    )


def add_model(command: argparse.ArgumentParser, one_run: bool = True) -> None:
    """What ``purify``, ``scan`` and ``compare`` share; the names are those of ``Spec``."""
    command.add_argument(
        "weights",
        nargs="?",
        metavar="WEIGHTS",
        help="safetensors, PyTorch or ONNX file, or the name of a shipped victim",
    )
    command.add_argument("--victim", metavar="NAME", help="a shipped backdoored model, instead of WEIGHTS")
    command.add_argument(
        "--images", metavar="DIR_OR_NPZ", help=f"labelled clean images: a folder, an .npz, or {', '.join(IMAGE_SETS)}"
    )
    command.add_argument(
        "--arch",
        metavar="NAME",
        help=f"network of WEIGHTS: {NAMED}, torchvision/NAME, timm/NAME; else found",
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
    # ``compare``, which makes several runs, refuses it with a sentence
    out = "folder for the run, new or empty; else one is made" if one_run else argparse.SUPPRESS
    command.add_argument("--out", type=Path, metavar="RUN", help=out)
    add_seed(command, "of everything that is drawn at random")
    add_device(command)
    add_json(command)


def scan_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core scan\n"
        "  python -m core scan model.safetensors --images photos/ --arch wrn16-1 --json\n"
        "A finding is evidence. Finding nothing means no sign of the kinds of backdoor this scan covers.\n\n"
        + EXIT_CODES
    )
    add_model(command)
    command.set_defaults(map=False)


def purify(arguments: argparse.Namespace) -> int:
    return _run(spec_of(arguments), arguments)


def scan(arguments: argparse.Namespace) -> int:
    return _run(spec_of(arguments, scan_only=True), arguments)


def spec_of(arguments: argparse.Namespace, **fixed: Any) -> Spec:
    """The order that the arguments of ``purify`` or ``scan`` spell."""
    given = {name: value for name, value in vars(arguments).items() if name in Spec.__dataclass_fields__}
    weights = arguments.weights
    victim = arguments.victim
    if weights is None and victim is None:  # not where one is "", as of a shell variable that is not set: a mistake
        victim = victims.DEFAULT
    if weights and not arguments.victim and not paths.exists(weights) and _is_shipped(weights):
        weights, victim = None, weights  # "purify signs-sig": a shipped victim by its name
    images = arguments.images or (victims.card_of(victim).data if victim else "")
    if given.get("scan_of") == "last":
        given["scan_of"] = record.find("last").id
    if arguments.clean_budget is None:  # of a small set of the user's, the usual share is too few images
        given |= {"clean_budget": Spec.clean_budget, "enough": weights is not None}
    return Spec(**given | {"weights": weights, "victim": victim, "images": images} | fixed)


def _is_shipped(name: str) -> bool:
    return name in (card.name for card in victims.list_victims())


def _run(spec: Spec, arguments: argparse.Namespace) -> int:
    run = record.create(spec, folder=arguments.out)
    try:
        with RunBars() as bars:

            def show(event: Event) -> None:
                _tell(run, event)
                bars(event)

            status = worker.work(run.folder, on_event=show)
    except KeyboardInterrupt:
        status = "stopped"
    if status == "stopped":
        print(f"Stopped. The run is in {run.folder}; go on with: python -m core runs resume {run.id}", file=sys.stderr)
        return INTERRUPTED
    if status == "failed":
        return _failed(run)
    print(strict_json(figures(run)) if arguments.json else summary(run))
    return NOT_HELD if withheld(run) else DONE


def _tell(run: Run, event: Event) -> None:
    """Once the images are loaded, and before minutes are spent on them, what there is to say about them."""
    if isinstance(event, StageStarted) and event.stage == "measure":
        for note in run.data.get("notes") or []:
            print(note, file=sys.stderr)


def _failed(run: Run) -> int:
    failure = run.data["failure"]
    print(failure["message"], file=sys.stderr)
    if failure["code"] in ("internal", "out_of_memory", "disk_full"):
        return FAILED
    if run.frame_count == 0:
        supervisor.delete(run)  # there is no result, and the next try may have the same --out
    return BAD_INPUT
