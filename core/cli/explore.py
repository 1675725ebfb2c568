"""``explore``: what the page Explore needs of the networks."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.cli.options import add_json
from core.cli.terminal import CountBar
from core.errors import BadInput
from core.explore import pictures, place
from core.files import require_room, strict_json
from core.jobs.note import IDLE, Report
from core.runs import hashes
from core.runs.record import Run, find
from core.runs.spec import PROJECTIONS
from core.suspicion import NAMES

if TYPE_CHECKING:
    from core.explore.placing import Placer
    from core.explore.settled import Settled

POLL_SECONDS = 0.1
T = TypeVar("T")


def explore_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core explore last                           features, neighbours, suspicion\n"
        "  python -m core explore last --map tsne --dims 3       another map, of every step that has a picture\n"
        "  python -m core explore signs-badnets --settled metric=cosine,seed=none   a map by umap-learn\n"
        "  python -m core explore signs-badnets --settled dims=2 --place sign.png   your picture on that map\n"
        "  python -m core explore signs-badnets --place 12       the same of image 12, with the trigger put on it\n"
        "  python -m core explore signs-badnets --saliency 12    where the models look in image 12 of the map\n"
        "Works on shipped recordings too; their results are kept in the cache."
    )
    command.add_argument("run", metavar="RUN", help="id, folder, or last")
    command.add_argument("--map", metavar="NAME", help=f"another map: {', '.join(PROJECTIONS)}")
    command.add_argument("--dims", type=int, default=2, metavar="N", help="dimensions of that map, 2 or 3")
    command.add_argument(
        "--settled", nargs="?", const="", metavar="NAME=VALUE,...",
        help="draw a map to its end with umap-learn: dims, n_neighbors, min_dist, metric (euclidean, cosine), "
        "densmap (yes, no), supervised (none, class, answer), seed (a number, or none)",
    )  # fmt: skip
    command.add_argument(
        "--place", metavar="FILE",
        help="where a picture of yours, or image N of the map, lies on that map, without and with the trigger",
    )  # fmt: skip
    command.add_argument("--saliency", type=int, metavar="POINT", help="where the models look in one image of the map")
    command.add_argument(
        "--linger", type=float, default=0, metavar="S", help="wait S seconds for the page to ask for another image"
    )
    add_json(command)


def explore(arguments: argparse.Namespace) -> int:
    """Features, neighbours and suspicion; or another map, or a settled one; or saliency."""
    run = find(arguments.run)
    require_room(place.folder_of(run), place.NEEDED)
    if arguments.saliency is not None:
        result = _saliency(run, arguments.saliency, arguments.linger)
    elif arguments.place is not None:
        result = _place(run, arguments.settled or "", arguments.place, arguments.linger)
    elif arguments.settled is not None:
        result = _settled(run, arguments.settled, arguments.linger)
    elif arguments.map:
        result = _map(run, arguments.map, arguments.dims)
    else:
        result = _base(run)
    if arguments.json:
        print(strict_json(result))
    else:
        print("\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in result.items()))
    return 0


def _base(run: Run) -> dict[str, Any]:
    from core.explore.make import make

    with (
        CountBar("Exploring") as bar,
        place.told(run, "base", lambda _, done, total: bar(round(done), round(total))) as report,
    ):
        base = make(run, report)
    result: dict[str, Any] = {"run": run.id, "points": base.features.shape[1], "dimensions": base.features.shape[2]}
    for at, name in enumerate(NAMES.values()):
        for model, when in enumerate(base.whens):
            precision, recall, _ = (round(float(value), 1) for value in base.judged[at, model])
            result |= {f"{name}_{when}_precision": precision, f"{name}_{when}_recall": recall}
    return result | {"folder": str(place.folder_of(run))}


def _map(run: Run, method: str, dims: int) -> dict[str, Any]:
    from core.explore.maps import make_map

    with (
        CountBar("Drawing") as bar,
        place.told(run, f"{method}-{dims}", lambda _, done, total: bar(round(done), round(total))) as report,
    ):
        coords = make_map(run, method, dims, report)
    return {"run": run.id, "map": f"{method}-{dims}", "frames": len(coords), "points": coords.shape[1]}


def _settled(run: Run, key: str, linger: float) -> dict[str, Any]:
    """One settled map, and then those that the page asks for, as ``_saliency``: umap-learn is loaded and compiled."""
    from core.explore.settled import read

    settings = read(key)
    with place.told(run, "settled") as report:
        report("load", 0, 0)
        hashes.check(run)
        from core.explore.fitting import make_settled

        made = make_settled(run, settings, report)

        def new(asked: str) -> bool:
            return place.settled_map(run, asked) is None

        for asked in _asked(lambda: place.wanted_settled(run), new, linger, report):
            make_settled(run, read(asked), report)
    trust = [round(float(value), 3) for value in made.trust]
    return {"run": run.id, "map": settings.key, "points": made.coords.shape[1], "trustworthiness": trust}


def _place(run: Run, key: str, given: str, linger: float) -> dict[str, Any]:
    """A picture on a settled map, which is drawn first if need be; then those that the page asks for, as ``_saliency``.

    A picture that cannot be placed is told of beside the others where the page may ask for more.
    """
    from core.explore.placing import Placer
    from core.explore.settled import read

    settings, subject = read(key), pictures.subject_of(given)
    with place.told(run, "place") as report:
        report("load", 0, 0)
        hashes.check(run)
        source, placer = place.source_of(run), Placer(run)
        made = None
        try:
            made = _placed(placer, subject, settings, report, given)
        except BadInput as fault:
            if not linger:
                raise
            pictures.refuse(run, subject, settings.key, fault)

        def new(asked: tuple[str, str]) -> bool:
            return pictures.placed(run, *asked) is None and pictures.refusal(run, *asked) is None

        for subject, key in _asked(lambda: pictures.wanted(run), new, linger, report):
            if place.source_of(run) != source:
                break  # purified anew meanwhile: the page asks another process
            try:
                _placed(placer, subject, read(key), report)
            except BadInput as fault:
                pictures.refuse(run, subject, key, fault)
    return {"run": run.id, "map": settings.key} | (_said(run, made) if made else {})


def _said(run: Run, made: pictures.Placed) -> dict[str, Any]:
    """Where a picture lies and what the models answer, before and after, without and with the trigger."""
    names = run.data.get("classes") or []
    result: dict[str, Any] = {}
    for at, when in enumerate(place.WHENS[: len(made.coords)]):
        for variant, with_ in enumerate(("", "_triggered")):
            answer = int(made.answers[at, variant])
            result[f"place_{when}{with_}"] = [round(float(value), 4) for value in made.coords[at, variant]]
            result[f"answer_{when}{with_}"] = names[answer] if answer < len(names) else answer
            result[f"confidence_{when}{with_}"] = round(float(made.confidence[at, variant]), 1)
    return result


def _placed(placer: Placer, subject: str, settings: Settled, report: Report, given: str = "") -> pictures.Placed:
    """Places one picture and writes that down."""
    from core.explore.fitting import make_settled

    run = placer.run
    source = Path(given) if given and subject.startswith("picture-") else pictures.source_of(run, subject)
    if source is None:
        raise BadInput("picture_gone", "The picture was removed before it was placed; give it again.")
    if place.settled_map(run, settings.key) is None and not settings.densmap:
        make_settled(run, settings, report)
    made = placer.place(source, settings, report)
    place.write(run, pictures.name_of(subject, settings.key), made)
    return made


def _saliency(run: Run, point: int, linger: float) -> dict[str, Any]:
    """One point, and then whatever the page asks for until it has asked for nothing for ``linger`` seconds."""
    from core.explore.material import material
    from core.explore.saliency import make_saliency

    with place.told(run, "saliency") as report:
        report("load", 0, 0)
        stuff = material(run)
        points = len(stuff.samples.label)
        if not 0 <= point < points:
            raise BadInput(
                "no_such_point", f"The run {run.id} has no point {point}; its points are 0 to {points - 1}.",
                run=run.id, point=point, most=points - 1,
            )  # fmt: skip
        made = make_saliency(run, stuff, point)

        def new(asked: int) -> bool:
            return 0 <= asked < points and place.saliency(run, asked) is None

        for asked in _asked(lambda: place.wanted(run), new, linger, report):
            make_saliency(run, stuff, asked)
    return {"run": run.id, "point": point, "models": len(made.heat), "pictures": len(made.pictures)}


def _asked(ask: Callable[[], T | None], new: Callable[[T], bool], linger: float, report: Report) -> Iterator[T]:
    """What ``ask`` names, whenever it is ``new``, until it named nothing new for ``linger`` seconds."""
    waited = time.monotonic()
    while time.monotonic() - waited < linger:
        report(IDLE, 0, 0)
        time.sleep(POLL_SECONDS)
        asked = ask()
        if asked is not None and new(asked):
            yield asked
            waited = time.monotonic()
