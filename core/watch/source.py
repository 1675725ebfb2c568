"""Which model of a run is watched, and all that is needed to watch it, loaded again from what the record names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core import victims
from core.errors import BadInput
from core.runs import hashes
from core.runs.record import Run
from core.runs.spec import Spec
from core.victims import Card

if TYPE_CHECKING:
    from torch import Tensor

    from core.data.imageset import ImageSet
    from core.models.classifier import Classifier
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
    """``watched``: the models, on the run's device. ``images``, ``labels``: the clean budget, uint8 and int64."""

    watched: Watched
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]


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
            raise BadInput(
                "nothing_purified", f"The run {run.id} handed out no purified model; watch its victim with --victim.",
                run=run.id,
            )  # fmt: skip
        recorded = hashes.outputs(run).get(purified.name, "")
        return Source(run, which, purified, recorded, victim if victim.is_file() else None)
    if not victim.is_file():
        raise BadInput(
            "weights_gone", f"The weights {victim} of the run {run.id} are not there; put them back.",
            path=str(victim), run=run.id,
        )  # fmt: skip
    recorded = card.sha256 if card else str((run.data.get("inputs") or {}).get("weights") or "")
    return Source(run, which, victim, recorded, purified if there else None)


def load(source: Source) -> Loaded:
    """The models and the clean budget of the run, with its seed.

    Raises:
        BadInput: as ``core.data.load`` and ``core.engine.subject.load_subject``.
    """
    import torch

    from core.compute.device import choose as choose_device
    from core.compute.device import precision
    from core.data import load as load_images
    from core.data.budget import clean_budget
    from core.watch.detector import Watched

    run, spec = source.run, source.run.spec
    images = load_images(spec.images)
    device = choose_device(spec.device if spec.device != "cuda" or torch.cuda.is_available() else "auto")
    victim_is_second = source.which == "purified"
    model = _model(run, images, victim=not victim_is_second)
    second = None if source.second is None else _model(run, images, victim=victim_is_second)
    for one in (model, second):
        if one is not None:
            one.to(device).eval().precision = precision(device)  # as in the run
    chosen = clean_budget(images.y_train, spec.clean_budget, images.num_classes, spec.seed)
    names = run.data.get("classes") or images.class_names
    return Loaded(Watched(model, second), images.x_train[chosen], images.y_train[chosen], tuple(names))


def profile_of(source: Source, loaded: Loaded, model_sha256: str, progress: Progress | None = None) -> Profile:
    """The profile of the model as it is loaded: the one that is kept, or one made now and kept.

    Raises:
        BadInput: ``place_not_writable``.
    """
    from core.files import require_room
    from core.watch.fitting import fit_profile, hash_of
    from core.watch.place import profile_path
    from core.watch.profile import read_profile, write_profile

    path = profile_path(source.run, source.which, model_sha256)
    second = hashes.of_weights(source.second) if source.second and loaded.watched.second else ""
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
        second_sha256=second, seed=source.run.spec.seed, progress=progress,
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
    card = _card(run)
    if card is not None:
        return card.arch, "/".join(",".join(f"{value:g}" for value in part) for part in (card.mean, card.std))
    result = run.data.get("result") or {}
    return result.get("arch"), result.get("normalize")


def _card(run: Run) -> Card | None:
    return victims.card_of(run.spec.victim) if run.spec.victim else None


def _model(run: Run, images: ImageSet, victim: bool) -> Classifier:
    """The victim or the purified model, whose weights are kept under the names that the victim's had."""
    from core.engine.subject import load_subject
    from core.models.weights import classifier, read_weights

    spec, card, purified = run.spec, _card(run), hashes.purified_file(run)
    if card is not None:
        file = card.weights if victim else purified
        return classifier(read_weights(file), card.arch, card.classes, card.mean, card.std)
    arch, normalize = _named(run)
    file = Path(str(spec.weights)) if victim else purified
    order = replace(spec, weights=str(file), arch=None if spec.model_class else arch, normalize=normalize)
    return load_subject(order, images).model
