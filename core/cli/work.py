"""``work``: apart from the other commands, because a worker has to come up fast."""

from __future__ import annotations

import argparse

from core.engine import worker


def work_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="the run's folder")


def work(arguments: argparse.Namespace) -> int:
    return worker.main(arguments.run)
