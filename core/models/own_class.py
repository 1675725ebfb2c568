"""A network of the user's own class, from the user's own file: its code is executed.

Only ever for a file named on the command line, by the person at the keyboard; never for anything uploaded.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from core.errors import BadInput
from core.models.classifier import find_head
from core.models.fitting import fitted, shortened
from core.models.identify import Candidate
from core.models.library import first_convolution
from core.models.rewrites import readings
from core.models.weights import Weights, fill


def own_candidate(model_class: str, weights: Weights, classes: int) -> Candidate:
    """The class of ``FILE.py:CLASS`` with these weights in it.

    Made as ``CLASS(num_classes=N)``, ``CLASS(N)`` or ``CLASS()``, whichever it takes first and the weights fit.

    Args:
        model_class: the file and the class in it.
        weights: as read; they must fit in every name and shape.
        classes: of the images.

    Raises:
        BadInput: ``model_class_not_found``, ``model_class_broken`` (the file), ``model_class_missing``,
            ``model_class_fails`` (the class), ``weights_do_not_fit``, ``weights_left_over``, ``no_linear_layer`` or
            ``no_logits``.
    """
    place, _, name = model_class.rpartition(":")
    file = Path(place)
    constructor = _load(file, name)
    made: list[nn.Module] = []
    first_error: Exception | SystemExit | None = None
    for arguments, named in (((), {"num_classes": classes}), ((classes,), {}), ((), {})):
        try:
            with _without_arguments(file):
                net = constructor(*arguments, **named)
        except (Exception, SystemExit) as error:  # foreign code can raise anything
            first_error = first_error or error
            continue
        if isinstance(net, nn.Module):
            made.append(net)
            candidate = _fit(net, weights, model_class)
            if candidate is not None:
                return candidate
    if not made:
        raise BadInput(
            "model_class_fails",
            f"{name} in {file} cannot be made as {name}(num_classes={classes}), {name}({classes}) or {name}(): "
            f"{_line(first_error)}; give a class of torch.nn.Module that needs no other argument.",
            path=str(file), name=name, error=_line(first_error),
        )  # fmt: skip
    fill(made[0], weights, name, classes)  # raises, and names the first tensor that does not fit
    raise AssertionError("weights that fit were said not to")


def _fit(net: nn.Module, weights: Weights, model_class: str) -> Candidate | None:
    for given in (weights, weights.as_in_file(), shortened(weights), *readings(weights)):
        fit = fitted(given, net) if given is not None else None
        if fit is not None:
            first = first_convolution(net)
            channels = first[1].in_channels if first else 3
            # what its layers are called, and in what order they are made, tells nothing here
            return Candidate(model_class, find_head(net, channels, by_name=False).out_features, channels, fit, made=net)
    return None


def _load(file: Path, name: str):
    """The class of that name in the file, which is executed."""
    if not file.is_file():
        raise BadInput("model_class_not_found", f"There is no file {file} with your class.", path=str(file))
    spec = importlib.util.spec_from_file_location(f"_own_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(file.parent))  # it may import its neighbours
    try:
        with _without_arguments(file):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise BadInput(
            "model_class_broken",
            f"{name} in {file} cannot be loaded: {_line(error)}; the file must run by itself, without arguments and "
            "without ending the program.",
            path=str(file), name=name, error=_line(error),
        ) from error  # fmt: skip
    finally:
        sys.path.remove(str(file.parent))
    found = getattr(module, name, None)
    if not callable(found):
        raise BadInput(
            "model_class_missing", f"The file {file} has no class {name}.", path=str(file), name=name
        )  # fmt: skip
    return found


@contextmanager
def _without_arguments(file: Path) -> Iterator[None]:
    """Inside: the file's name stands alone on the command line, so that no ``argparse`` in it reads our arguments."""
    ours = sys.argv
    sys.argv = [str(file)]
    try:
        yield
    finally:
        sys.argv = ours


def _line(error: Exception | SystemExit | None) -> str:
    text = (str(error).splitlines() or [""])[0][:160] if error else "it is no torch.nn.Module"
    return f"{type(error).__name__}: {text}" if error else text
