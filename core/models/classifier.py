"""A network together with its input scaling, and a tap on its penultimate features."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.compute.device import precision
from core.errors import BadInput
from core.models.index import HEADS

_NAMED = "|".join((*HEADS, "heads"))
_HEAD = re.compile(rf"(?:{_NAMED})(?:\.(?:\d+|{_NAMED}))*|\d+(?:\.\d+)*")  # fc, classifier.6, heads.head, 4
_KNOWN = "_head_path"  # on a network: the path of its head, once found; a copy of the network has it too
_SIDES = (32, 224, 28, 64, 8, 16, 48, 96, 128, 256, 299)  # pixels: of images that a network may be made for


def last_linear(net: nn.Module) -> nn.Linear:
    """The last linear layer in registration order: the classification head.

    Raises:
        BadInput: the network has no ``nn.Linear``.
    """
    linears = [module for module in net.modules() if isinstance(module, nn.Linear)]
    if not linears:
        raise _no_linear_layer(net)
    return linears[-1]


def find_head(
    net: nn.Module, channels: int = 3, size: tuple[int, int] | None = None, by_name: bool = True
) -> nn.Linear:
    """The linear layer that gives the logits: as executed in a forward pass, or else the last one registered.

    The pass, of two black images in evaluation mode, is done once for a network, and not at all where the names
    leave no doubt. Where no size of image goes through, it is the last layer registered.

    Args:
        net: any network. channels: of its input.
        size: of the images (height, width); the usual ones are tried otherwise.
        by_name: False: names are not relied on, as with a stranger's class.

    Raises:
        BadInput: ``no_linear_layer`` (none gives the logits, as where a convolution does), or ``no_logits``.
    """
    last = last_linear(net)
    known = net.__dict__.get(_KNOWN)
    if known is not None:
        return net.get_submodule(known)  # type: ignore[return-value]
    paths = {path: module for path, module in net.named_modules() if isinstance(module, nn.Linear)}
    if by_name and (len(paths) == 1 or _named_last(list(paths))):
        return last
    for sides in [size] if size is not None else [(side, side) for side in _SIDES]:
        seen = _executed(net, channels, sides)
        if seen is not None:
            head = _gives(*seen)
            if head is None:
                raise _no_linear_layer(net)
            net.__dict__[_KNOWN] = next(path for path, module in paths.items() if module is head)
            return head
    return last


def _no_linear_layer(net: nn.Module) -> BadInput:
    return BadInput(
        "no_linear_layer",
        f"The network {type(net).__name__} has no linear layer that gives its answers, so it has no penultimate "
        "features to look at; use a network that ends in torch.nn.Linear.",
        network=type(net).__name__,
    )


def _named_last(paths: list[str]) -> bool:
    """Whether the last of the paths is called a head, and none elsewhere is."""
    part = paths[-1].split(".")[0]
    rivals = [path for path in paths if _HEAD.fullmatch(path) and path.split(".")[0] != part]
    return bool(_HEAD.fullmatch(paths[-1])) and (part.isdigit() or not rivals)


def _executed(
    net: nn.Module, channels: int, size: tuple[int, int]
) -> tuple[list[tuple[nn.Linear, Tensor]], Tensor] | None:
    """The linear layers with their outputs, as executed, and the logits; None if such images do not go through."""
    outputs: list[tuple[nn.Linear, Tensor]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append((module, output))  # type: ignore[arg-type]

    hooks = [module.register_forward_hook(note) for module in net.modules() if isinstance(module, nn.Linear)]
    like = next(parameter for parameter in net.parameters() if parameter.is_floating_point())
    try:
        with frozen(net), torch.no_grad():
            answer = net(like.new_zeros(2, channels, *size))
    except Exception:  # another image size may work; foreign code can raise anything
        return None
    finally:
        for hook in hooks:
            hook.remove()
    logits = main_logits(answer, net)
    return (outputs, logits) if logits.dim() == 2 else None


def _gives(outputs: list[tuple[nn.Linear, Tensor]], logits: Tensor) -> nn.Linear | None:
    """The layer whose output the logits are; else the last whose output is of their shape, or of as many classes."""
    for same in (
        lambda output: output is logits,
        lambda output: output.shape == logits.shape,
        lambda output: output.shape[-1] == logits.shape[-1],
    ):
        fits = [module for module, output in outputs if same(output)]
        if fits:
            return fits[-1]
    return None


def main_logits(answer: Any, net: nn.Module) -> Tensor:
    """The logits in what a network answers with: the tensor itself, ``logits`` in it, or the first of several.

    In training mode torchvision's GoogLeNet and Inception give a tuple with those of their auxiliary heads.

    Raises:
        BadInput: ``no_logits``.
    """
    if isinstance(answer, Tensor):
        return answer
    inside = answer.get("logits") if isinstance(answer, Mapping) else getattr(answer, "logits", None)
    if inside is None and isinstance(answer, Mapping):
        inside = next(iter(answer.values())) if len(answer) == 1 else None
    elif inside is None and isinstance(answer, (tuple, list)) and answer:
        inside = answer[0]
    if isinstance(inside, (Tensor, tuple, list)):
        return main_logits(inside, net)
    name, kind = type(net).__name__, type(answer).__name__
    raise BadInput(
        "no_logits",
        f"The network {name} answers with a {kind} in which no logits are found; let its forward return them as a "
        "tensor, as the first of a tuple, or as logits.",
        network=name, kind=kind,
    )  # fmt: skip


_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow, torchvision and OpenCV weigh them


class Classifier(nn.Module):
    """``net`` behind its input scaling; takes images in [0, 1] and answers with logits.

    The penultimate features are whatever enters the linear layer that gives the logits, read by a hook, so any
    network works. ``net.state_dict()`` keeps the keys the weights came in with.

    Args:
        net: maps scaled images (n, 3, h, w), or (n, 1, h, w) where ``colour`` is "grey", to logits (n, classes),
            or to a tuple or dictionary with them.
        mean, std: per-channel scaling in units of [0, 1]; for grey images their mean over the channels is used.
        size: height and width the images are resized to (bilinear); None: they are left as they are.
        colour: "rgb"; "bgr": channels turned round; "grey": one channel; "grey3": three equal channels.

    Attributes:
        precision: of convolutions and products, as ``on`` sets it; weights and answers stay float32.

    Raises:
        BadInput: ``no_linear_layer`` or ``no_logits``.
    """

    mean: Tensor
    std: Tensor
    precision: torch.dtype = torch.float32

    def __init__(
        self,
        net: nn.Module,
        mean: Sequence[float] = (0, 0, 0),
        std: Sequence[float] = (1, 1, 1),
        size: tuple[int, int] | None = None,
        colour: str = "rgb",
    ) -> None:
        super().__init__()
        self.net = net
        self.head = [
            find_head(net, 1 if colour == "grey" else 3, size)
        ]  # in a list, so that it is not registered twice
        if colour == "grey":
            mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
        self.size, self.colour = size, colour
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def on(self, device: torch.device) -> Self:
        """Moves it to ``device``, where it computes in the number format that is fastest for its network."""
        self.to(device).precision = precision(device, self.net)
        return self

    @property
    def num_classes(self) -> int:
        return self.head[0].out_features

    @property
    def feature_size(self) -> int:
        return self.head[0].in_features

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (n, classes), of images in [0, 1], shape (n, 3, h, w)."""
        if self.size is not None and tuple(images.shape[-2:]) != self.size:
            images = F.interpolate(images, self.size, mode="bilinear", antialias=True)
        if self.colour == "bgr":
            images = images.flip(1)
        elif self.colour != "rgb":
            images = (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
            if self.colour == "grey3":
                images = images.expand(-1, 3, -1, -1)
        scaled = (images - self.mean) / self.std
        if self.precision == torch.float32:
            return main_logits(self.net(scaled), self.net)
        # no cache: it would keep the cast weights of a first step for all steps of a training around it
        with torch.autocast(images.device.type, self.precision, cache_enabled=False):
            return main_logits(self.net(scaled), self.net).float()

    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Penultimate features (n, d) and logits (n, classes) from one forward pass."""
        tapped: list[Tensor] = []
        me = get_ident()  # other threads may look through the same network

        def tap(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if get_ident() == me:
                tapped.append(inputs[0].flatten(1))

        # the hook lives for this one pass, so that the network can be copied and saved at any other time
        hook = self.head[0].register_forward_pre_hook(tap)
        try:
            logits = self(images)
        finally:
            hook.remove()
        return tapped[-1].float(), logits

    def features(self, images: Tensor) -> Tensor:
        """Penultimate features, shape (n, d), of images in [0, 1]."""
        return self.features_and_logits(images)[0]


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Inside: evaluation mode and no gradient for the parameters; both are put back afterwards."""
    training = {module: module.training for module in model.modules()}
    wanted = {parameter: parameter.requires_grad for parameter in model.parameters()}
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode
        for parameter, grad in wanted.items():
            parameter.requires_grad_(grad)
