"""Which network a file of weights belongs to, from the names and shapes of its tensors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from core.errors import BadInput
from core.found import Found
from core.models import ARCHITECTURES, LIBRARIES, SIZED, build, vit, wrn, wrn_biased
from core.models.classifier import last_linear
from core.models.double_head import double_heads
from core.models.fitting import fitted, plain_head, shapes_of, shortened, whole_numbers
from core.models.index import COUNTERS, Shapes, names_for, unindexed
from core.models.library import STEMS, first_convolution, without_memory
from core.models.rewrites import readings
from core.models.row_structures import structures
from core.models.sequential import build_row, parse
from core.models.weights import Weights, fill

MOST_CLASSES = 100_000
MOST_CHANNELS = 4  # of the input
READ = range(1, MOST_CHANNELS + 1)
_NOT_READ = range(MOST_CHANNELS + 1, 2**31)
_ADAPTER = re.compile(r"(^|[._])lora_(A|B|down|up)([._]|$)")  # as peft and diffusers name them


@dataclass(frozen=True)
class Candidate:
    """A network that has exactly these tensors.

    ``arch``: its name; with ``~`` and a mark, one of several ways to give the tensors their names there
    (``core.models.look_alike``). ``weights``: under the names the network has for them. ``channels``: of the input.
    ``found``: what had to be overlooked for the fit.
    """

    arch: str
    classes: int
    channels: int
    weights: Weights
    found: tuple[Found, ...] = ()
    made: nn.Module | None = None  # of a class that cannot be made by name
    size: tuple[int, int] | None = None  # of images (height, width), where it takes no other

    def network(self) -> nn.Module:
        """The network with the weights in it, in evaluation mode, on the CPU."""
        made = deepcopy(self.made)
        net = network(self.arch, self.classes, self.channels, self.weights) if made is None else made
        net.load_state_dict(self.weights.tensors, strict=False)
        return net.eval()


def network(arch: str, classes: int, channels: int, weights: Weights) -> nn.Module:
    """A fresh network by name; ``sequential/...`` takes its layers from the weights.

    Raises:
        BadInput: there is no such network.
    """
    if arch.startswith("sequential/"):
        return build_row(arch, shapes_of(weights))
    return build(arch.partition("~")[0], classes, channels)


def _to_compare(arch: str, classes: int, channels: int, weights: Weights) -> nn.Module:
    """As ``network``; of a size that the name alone gives, and that no memory may hold, without its numbers."""
    with torch.device("meta") if vit.size_of(arch) else contextlib.nullcontext():
        return network(arch, classes, channels, weights)


def candidates(weights: Weights, size: int) -> list[Candidate]:
    """All networks that fit in name and shape: ours, torchvision's and timm's, or a plain row of layers.

    The names are taken as they are, and without the first word that all share. Only where nothing fits exactly, the
    head or the shortcuts may have another usual name; or the file is read in another way (``core.models.rewrites``);
    or it is a plain row.

    Args:
        weights: as read. size: of the images, pixels; tells how often a plain row halves them.

    Raises:
        BadInput: ``no_architecture_fits``, ``one_output``, ``weights_channels``, ``weights_of_adapter``,
            ``weights_whole_numbers`` or ``weights_without_linear``.
    """
    from core.models.look_alike import look_alikes

    given = [variant for variant in (weights, shortened(weights)) if variant is not None]
    heads = [variant for variant in map(plain_head, given) if variant is not None]
    found = [candidate for variant in (*given, *heads) for candidate in _fitting(variant)]
    exact = [candidate for candidate in found if not candidate.weights.names]
    if exact:
        return exact
    others = list(readings(weights)) if not found else []
    for reading in others:
        variants = [variant for variant in (reading, plain_head(reading)) if variant is not None]
        if fits := [candidate for variant in variants for candidate in _fitting(variant)]:
            return fits
    if not found and (grown := list(_grown(given))):
        return grown
    rows = [candidate for variant in given for candidate in _rows(variant, size)]
    rows = rows or next((fits for reading in others if (fits := list(_rows(reading, size)))), [])
    alike = [] if found else look_alikes(weights)
    if found or alike or rows:
        return [*found, *alike, *rows]
    doubled = [double.outer for variant in given for double in double_heads(variant)]
    for variant in (*given, *heads, *others, *filter(None, map(plain_head, others)), *doubled):
        if (fit := next(_fitting(variant, _NOT_READ), None)) is not None:
            raise BadInput(
                "weights_channels",
                f"These weights are of a network that takes images with {fit.channels} channels; networks for 1 to "
                f"{MOST_CHANNELS} channels are read.",
                channels=fit.channels, most=MOST_CHANNELS,
            )  # fmt: skip
    if adapter := next((name for name in weights.tensors if _ADAPTER.search(name)), ""):
        raise BadInput(
            "weights_of_adapter",
            f"These weights hold an adapter (LoRA: {adapter}), which modifies a network but is not one itself; merge "
            "it into its network (merge_and_unload of the package peft), and save the state_dict of the merged "
            "network.",
            name=adapter,
        )
    if _one_output(weights.tensors):
        raise BadInput(
            "one_output",
            "These weights end in one output, as for a sigmoid; only networks with one output for each class are read. "
            "Give a class of your own with --model-class whose two outputs are 0 and that one.",
        )
    for name, value in weights.tensors.items():
        if name.endswith("weight") and value.dim() > 1 and not value.is_floating_point():
            raise whole_numbers(name)
    dimensions = {value.dim() for value in weights.tensors.values()}
    if 4 in dimensions and 2 not in dimensions:
        raise BadInput(
            "weights_without_linear",
            "These weights hold no linear layer, so a convolution or nothing at all gives the answers (as in "
            "SqueezeNet); use a network that ends in torch.nn.Linear.",
        )
    raise BadInput(
        "no_architecture_fits",
        "These weights fit no network of Dissolve, torchvision or timm, and no plain row of layers; export the network "
        "as ONNX (torch.onnx.export), which carries its structure, name it with --arch, or give your own class with "
        "--model-class FILE.py:CLASS.",
    )


def _one_output(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the last linear layer has one output. safetensors sorts its names, so there any layer may be the last;
    a bias of one number, if any layer has a bias, tells it from an embedding."""
    tables = [name for name, value in tensors.items() if value.dim() == 2]
    ends = tables if list(tensors) == sorted(tensors) else tables[-1:]
    biases = {name: tensors.get(name.removesuffix("weight") + "bias") for name in tables}
    without = all(bias is None for bias in biases.values())
    return any(
        name.endswith(".weight") and len(tensors[name]) == 1 and (without or (bias is not None and bias.numel() == 1))
        for name, bias in ((name, biases[name]) for name in ends)
    )


def named(arch: str, weights: Weights, classes: int) -> Candidate:
    """The network that the user named, with these weights.

    Raises:
        BadInput: ``unknown_architecture``, ``not_a_row``, ``weights_do_not_fit`` or ``weights_left_over``.
    """
    for given in (weights, weights.as_in_file(), shortened(weights), plain_head(weights), *readings(weights)):
        if given is not None and (fit := next(_named_fits(arch, given, classes), None)) is not None:
            return fit
    plain = [variant for variant in (weights, shortened(weights)) if variant is not None]
    if (grown := next(_grown(plain, arch, classes), None)) is not None:
        return grown
    fill(_to_compare(arch, classes, 3, weights), weights, arch, classes)  # raises, and names what does not fit
    raise AssertionError("weights that fit were said not to")


def _fitting(weights: Weights, channels: range = READ) -> Iterator[Candidate]:
    shapes = shapes_of(weights)
    sized = [name for name in (wrn.name_from(shapes), wrn_biased.name_from(shapes)) if name]
    names = [name for name in sized if name not in ARCHITECTURES]
    fits = 0
    for arch in dict.fromkeys([*names, *names_for(shapes), *unindexed()]):
        for fit in _tried(arch, weights, shapes, channels):
            fits += 1
            yield fit
    for arch in () if fits else dict.fromkeys(name for name, _, _ in vit.options(shapes)):
        yield from _tried(arch, weights, shapes, channels)


def _tried(arch: str, weights: Weights, shapes: Shapes, wanted: range) -> Iterator[Candidate]:
    """The network in the variants that the shapes of head and first convolution allow.

    ``wanted``: how many channels the input may have.
    """
    library = arch.partition("/")[0] in LIBRARIES
    for classes in sorted({shape[0] for shape in shapes.values() if len(shape) == 2 and 2 <= shape[0] <= MOST_CLASSES}):
        try:
            probe = without_memory(arch, classes) if library else _ours(arch, classes, 3)
        except (BadInput, RuntimeError, ValueError, TypeError, AttributeError):
            return  # not in the installed version
        first = first_convolution(probe)
        stem = None if first is None else next((s for n, s in shapes.items() if n == first[0] + ".weight"), None)
        channels = 3 if first is None or stem is None else channels_for(first[1], stem)
        if last_linear(probe).out_features != classes or channels not in wanted:
            continue
        stems = [""] if first is None or stem is None or not library else stems_for(first[1], stem)
        for more in stems:
            net = probe
            if more or channels != 3:
                net = without_memory(arch + more, classes, channels) if library else _ours(arch, classes, channels)
            fit = fitted(weights, net)
            if fit is not None:
                found = tuple(_overlooked(fit, net))
                yield Candidate(arch + more, classes, channels, fit, found, size=vit.size_of(arch))


def _ours(arch: str, classes: int, channels: int) -> nn.Module:
    if arch not in ARCHITECTURES and not arch.startswith(("vit-", *(p.split("(")[0] for p in SIZED))):
        raise ValueError(arch)
    with torch.device("meta"):
        return build(arch, classes, channels)


def channels_for(first: nn.Conv2d, given: Sequence[int]) -> int:
    """Channels of the pictures of a network whose first convolution, with three, is ``first``, and ``given`` in a file.

    ``first`` may see more than the picture has, where pixels are put into channels before it (TResNet).
    """
    return 3 * given[1] // first.weight.shape[1]


def stems_for(first: nn.Conv2d, given: Sequence[int]) -> list[str]:
    """What a first convolution of this kernel may be: stride and pooling leave no trace in the weights."""
    if tuple(given[2:]) != tuple(first.kernel_size):
        return [f"+{stem}" for stem in STEMS]
    return ["", "+cifar"] if given[2] == 3 and max(first.stride) > 1 else [""]


def _grown(variants: Sequence[Weights], arch: str | None = None, classes: int = 0) -> Iterator[Candidate]:
    """Networks whose head is two layers in the file; of ``arch`` with ``classes`` alone, if it is named."""
    for double in (double for variant in variants for double in double_heads(variant)):
        for fit in _fitting(double.outer) if arch is None else _named_fits(arch, double.outer, classes):
            yield double.grown(fit, network(fit.arch, fit.classes, fit.channels, double.outer))


def _named_fits(arch: str, weights: Weights, classes: int) -> Iterator[Candidate]:
    for channels in (3, 1):
        net = _to_compare(arch, classes, channels, weights)
        fit = fitted(weights, net)
        if fit is not None:
            yield Candidate(arch, classes, channels, fit, tuple(_overlooked(fit, net)), size=vit.size_of(arch))


def _rows(weights: Weights, size: int) -> Iterator[Candidate]:
    shapes = shapes_of(weights)
    for structure in structures(shapes, size):
        net = build_row(structure.name, shapes)
        first = first_convolution(net)
        channels = first[1].in_channels if first else 3
        classes = last_linear(net).out_features
        if channels in (1, 3) and classes > 1:
            fit = fitted(weights, net) or weights
            yield Candidate(structure.name, classes, channels, fit)


def siblings(candidate: Candidate) -> list[Candidate]:
    """The same row of layers with every other activation and pooling; the candidate itself first."""
    structure = parse(candidate.arch)
    return [candidate] if structure is None else [replace(candidate, arch=s.name) for s in structure.siblings()]


def _overlooked(weights: Weights, net: nn.Module) -> Iterator[Found]:
    missing = sum(name.endswith(COUNTERS) and name not in weights.tensors for name in net.state_dict())
    if missing:
        text = f"The file lacks {missing} counters of batch norm (num_batches_tracked); no answer depends on them."
        yield Found("counters", text, {"count": missing})
    renamed = ((old, new) for new, old in weights.names.items() if old != new and new not in weights.told)
    if (first := next(renamed, None)) is not None:
        old, new = first
        text = f"Some tensors have another usual name: {old} is {new} in the network; they keep their names."
        yield Found("renamed", text, {"old": old, "new": new})
