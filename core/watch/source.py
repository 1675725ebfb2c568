"""Which model of a run is watched, and all that is needed to watch it, loaded again from what the record names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core import victims
from core.errors import BadInput
from core.runs import file_hashes, hashes
from core.runs.record import Run
from core.runs.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor

    from core.watch.detector import Watched
    from core.watch.profile import Profile

Which = Literal["victim", "purified"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """``file``: the weights of the model watched. ``recorded``: their SHA-256 by the run's record; "" if it has none.
    ``second``: the file of the run's other model; None if it is not kept."""

    run: Run
    which: Which
    file: Path
    recorded: str
    second: Path | None


@dataclass(frozen=True)
class Loaded:
    """``watched``: the models, on the run's device. ``images``, ``labels``: the clean budget, uint8 and int64.
    ``bits``: as ``ImageSet.bits``."""

    watched: Watched
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    bits: int | None


def source_of(run: Run, wish: Which | None = None) -> Source:
    """The purified model if it was handed out, else the victim; or the one wished for.

    Raises:
        BadInput: ``run_not_done``; ``nothing_purified``, it is wished for and was not handed out; ``weights_gone``.
    """
    if run.status != "done":
        raise BadInput(
            "run_not_done",
            f"The run {run.id} is {run.status}; watch a run that is done.",
            run=run.id,
            status=run.status,
        )
    spec, purified = run.spec, hashes.purified_file(run)
    card = victims.card_of(spec.victim) if spec.victim else None
    victim = card.weights if card else Path(str(spec.weights))
    there = purified.is_file()
    which: Which = wish or ("purified" if there else "victim")
    if which == "purified":
        if not there:
            raise _nothing_purified(run)
        recorded = hashes.outputs(run).get(purified.name, "")
        return Source(run, which, purified, recorded, victim if victim.is_file() else None)
    if not victim.is_file():
        raise BadInput(
            "weights_gone", f"The weights {victim} of the run {run.id} are not there; put them back.",
            path=str(victim), run=run.id,
        )  # fmt: skip
    recorded = card.sha256 if card else str((run.data.get("inputs") or {}).get("weights") or "")
    return Source(run, which, victim, recorded, purified if there else None)


def _nothing_purified(run: Run) -> BadInput:
    return BadInput(
        "nothing_purified",
        f"The run {run.id} handed out no purified model; watch its victim with --victim.",
        run=run.id,
    )


def load(source: Source) -> Loaded:
    """The models and the clean budget of the run, with its seed.

    Raises:
        BadInput: ``nothing_purified``; as ``core.data.load``, ``core.engine.subject.load_subject`` and
            ``core.engine.purified.purified``.
    """
    import torch

    from core.compute.device import choose as choose_device
    from core.data import load as load_images
    from core.data.budget import clean_budget
    from core.engine.purified import as_found, purified
    from core.engine.subject import load_subject
    from core.watch.detector import Watched

    run, spec = source.run, source.run.spec
    images = load_images(spec.images)
    device = choose_device(spec.device if spec.device != "cuda" or torch.cuda.is_available() else "auto")
    asked: tuple[Which, ...] = (source.which,)
    if source.second is not None:
        asked += ("victim" if source.which == "purified" else "purified",)
    models = [
        purified(run, images) if which == "purified" else load_subject(as_found(run), images).model for which in asked
    ]
    model, second = models[0], models[1] if len(models) > 1 else None
    if model is None:
        raise _nothing_purified(run)
    for one in (model, second):
        if one is not None:
            one.on(device).eval()  # as in the run
    chosen = clean_budget(images.y_train, spec.clean_budget, images.num_classes, spec.seed)
    names = run.data.get("classes") or images.class_names
    return Loaded(Watched(model, second), images.x_train[chosen], images.y_train[chosen], tuple(names), images.bits)


def profile_of(
    source: Source, loaded: Loaded, model_sha256: str, progress: Progress | None = None, path: Path | None = None
) -> Profile:
    """The profile of the model as it is loaded: the one that is kept, or one made now and kept.

    Args:
        path: where it is kept; with the watches of the run by default.

    Raises:
        BadInput: ``place_not_writable``.
    """
    from core.files import require_room
    from core.watch.fitting import fit_profile, hash_of
    from core.watch.place import profile_path
    from core.watch.profile import read_profile, write_profile

    path = path or profile_path(source.run, source.which, model_sha256)
    second = file_hashes.of_weights(source.second) if source.second and loaded.watched.second else ""
    if path.is_file():
        try:
            kept = read_profile(path)
        except BadInput:  # damaged: it is made anew
            kept = None
        made_from = hash_of(loaded.images, loaded.labels)
        if kept and (kept.images_sha256, kept.second_sha256, kept.model_sha256) == (made_from, second, model_sha256):
            return kept
    require_room(path.parent)
    profile = fit_profile(
        loaded.watched, loaded.images, loaded.labels, loaded.classes, which=source.which, model_sha256=model_sha256,
        second_sha256=second, seed=source.run.spec.seed, bits=loaded.bits, progress=progress,
    )  # fmt: skip
    write_profile(path, profile)
    return profile


def scan_order(source: Source) -> Spec:
    """The order for a scan of the file that is watched, as it is now, on the run's images."""
    spec = source.run.spec
    arch, normalize = _named(source.run)
    return Spec(
        weights=str(source.file), images=spec.images, arch=None if spec.model_class else arch,
        model_class=spec.model_class, normalize=normalize, clean_budget=spec.clean_budget, seed=spec.seed,
        device=spec.device, map=False, scan_only=True, class_names=spec.class_names,
    )  # fmt: skip


def _named(run: Run) -> tuple[str | None, str | None]:
    """Network and input scaling, as the run knew or found them."""
    from core.engine.purified import as_found

    if run.spec.victim:
        card = victims.card_of(run.spec.victim)
        return card.arch, "/".join(",".join(f"{value:g}" for value in part) for part in (card.mean, card.std))
    found = as_found(run)
    return found.arch, found.normalize
