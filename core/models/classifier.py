"""A network together with its input scaling, and a tap on its penultimate features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import BadInput


def last_linear(net: nn.Module) -> nn.Linear:
    """The last linear layer in registration order: the classification head.

    Raises:
        BadInput: the network has no ``nn.Linear``.
    """
    linears = [module for module in net.modules() if isinstance(module, nn.Linear)]
    if not linears:
        raise BadInput(
            "no_linear_layer",
            f"The network {type(net).__name__} has no linear layer, so it has no penultimate features to look at; "
            "use a network that ends in torch.nn.Linear.",
            network=type(net).__name__,
        )
    return linears[-1]


COLOURS = ("rgb", "bgr", "grey", "grey3")
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow, torchvision and OpenCV weigh them


class Classifier(nn.Module):
    """``net`` behind its input scaling; takes images in [0, 1] and answers with logits.

    The penultimate features are whatever enters the last linear layer, read by a hook, so any
    network works. ``net.state_dict()`` keeps the keys the weights came in with.

    Args:
        net: maps scaled images (n, 3, h, w), or (n, 1, h, w) where ``colour`` is "grey", to logits (n, classes).
        mean, std: per-channel scaling in units of [0, 1]; for grey images their mean over the channels is used.
        size: height and width the images are resized to (bilinear); None: they are left as they are.
        colour: "rgb"; "bgr": channels turned round; "grey": one channel; "grey3": three equal channels.
    """

    mean: Tensor
    std: Tensor

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
        self.head = [last_linear(net)]  # in a list, so that it is not registered twice
        if colour == "grey":
            mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
        self.size, self.colour = size, colour
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

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
        return self.net((images - self.mean) / self.std)

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
        features = tapped[-1]
        return features, logits

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
