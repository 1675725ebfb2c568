"""What the commands share: exit codes, options, and how the command line reads and explains them."""

from __future__ import annotations

import argparse
import json
from typing import Any, NoReturn

DONE, FAILED, BAD_INPUT, NOT_HELD, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_CODES = (
    "Exit codes: 0 done, 1 Dissolve failed or memory or disk ran out, 2 bad input (one sentence says what), 3 "
    "nothing was handed out, since accuracy could not be held or the model is not cured, 130 stopped with Ctrl-C."
)


class Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, except those that say nothing, and keeps examples as written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or isinstance(action.default, (bool, dict)):
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{message[:1].upper()}{message[1:]}; see {self.prog} --help\n")


def seconds(text: str) -> float:
    """A time that can be waited for, of an argument.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def add_seed(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--seed", type=int, action=Seed, default=0, metavar="N", help=what)


def add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", default="auto", help="auto, cpu, mps, cuda or cuda:N")


def add_json(command: argparse.ArgumentParser, default: Any = False) -> None:
    command.add_argument("--json", action="store_true", default=default, help="print one JSON object as the last line")


def add_settings(command: argparse.ArgumentParser, flag: str, what: str) -> None:
    name = "settings" if flag == "--set" else flag.strip("-").replace("-", "_")
    command.add_argument(flag, dest=name, action=_Settings, type=_setting, default={}, metavar="NAME=VALUE", help=what)


class Seed(argparse.Action):
    """A seed, or several, that every generator takes.

    Raises:
        BadInput: ``bad_seed``.
    """

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        from core.runs.spec import LARGEST_SEED, out_of_range

        for value in values if isinstance(values, list) else [values]:
            if not 0 <= value <= LARGEST_SEED:
                raise out_of_range("seed", value, 0, LARGEST_SEED)
        setattr(namespace, self.dest, values)


class _Settings(argparse.Action):
    """Collects ``NAME=VALUE`` pairs into a dict."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), values[0]: values[1]})


def _setting(text: str) -> tuple[str, Any]:
    """Name and value of ``NAME=VALUE``; the value is JSON, True or False as Python writes them, or else text."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    if value in ("True", "False"):
        return name, value == "True"
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def budget(text: str) -> float | int:
    """A whole number counts images; any other number, or one with a percent sign, is a share."""
    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a share, such as 0.05 or 5%, nor a number of images, such as 500"
        ) from None
