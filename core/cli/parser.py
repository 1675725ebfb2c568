"""The command line: ``python -m core COMMAND``. A command's module is imported when it is asked for."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

from core import __version__
from core.cli.options import BAD_INPUT, DONE, EXIT_CODES, FAILED, INTERRUPTED, Help, Parser
from core.errors import BadInput
from core.files import NOT_WRITTEN
from core.registry import loaded

# name: where the function stands that does the work, beside one called <function>_arguments; what it does
COMMANDS: dict[str, tuple[str, str]] = {
    "data": ("core.cli.images:data", "Describe an image set: sizes, classes, images per class."),
    "train": ("core.cli.train:train", "Train a backdoored model for the lab, on a poisoned training set."),
    "purify": ("core.cli.purify:purify", "Find the backdoor of a model and remove it."),
    "scan": ("core.cli.purify:scan", "Measure a model and look for a backdoor; the model stays as it is."),
    "fleet": ("core.cli.fleet:fleet", "Scan many models, rank them by risk, and purify those that need it."),
    "compare": ("core.cli.compare:compare", "Run several defences on one model, one after the other, and compare."),
    "runs": ("core.cli.runs:runs", "List runs, look at one, steer or delete it."),
    "replay": ("core.cli.runs:replay", "Print how a run went: its figures at every frame, at the pace they came."),
    "report": ("core.cli.report:report", "Write the report of a run: one page to read, send or print."),
    "explore": ("core.cli.explore:explore", "Compute what the page Explore shows of a run's feature space."),
    "watch": ("core.cli.watch:watch", "Watch a model in use: a guard over a folder that images arrive in."),
    "rollout": (
        "core.cli.rollout:rollout",
        "Take a purified model into use in stages, with a rule for going on and back.",
    ),
    "account": (
        "core.cli.account:account",
        "Tell what a purification cost, what training anew would, and what risk is left.",
    ),
    "stress": (
        "core.cli.stress:stress",
        "Put a purified model beside the original under corruptions, attacks and shifted data.",
    ),
    "data-room": ("core.cli.data_room:data_room", "Look for poisoned images in a training set; nothing is deleted."),
    "work": ("core.cli.work:work", "do the work of a run (started by the dashboard)"),
}


class Command(Parser):
    """The parser of one command; its arguments are read from the command's module once they are needed."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        name = self.prog.rpartition(" ")[2]
        if name in COMMANDS and self.get_default("handler") is None:
            place, _ = COMMANDS[name]
            self.set_defaults(handler=loaded(place))
            loaded(f"{place}_arguments")(self)
        return super().parse_known_args(args, namespace)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (argparse itself leaves with 2 where it cannot read the arguments)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding lacks, such as a Japanese class's name, in escapes
            stream.reconfigure(errors="backslashreplace")
    top = parser()
    if not (sys.argv[1:] if argv is None else argv):
        top.print_help()
        return BAD_INPUT
    try:
        arguments = top.parse_args(argv)
        return int(arguments.handler(arguments))
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
        prog="dissolve" if os.path.basename(sys.argv[0]) == "dissolve" else "python -m core",
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
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Command)
    for name, (_, short) in COMMANDS.items():
        commands.add_parser(name, help=short, description=short, formatter_class=Help)
    return top
