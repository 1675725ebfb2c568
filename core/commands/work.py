"""``work``: apart from the other commands, because a worker has to come up fast."""

from __future__ import annotations

import argparse

from core.runs import worker


def work(arguments: argparse.Namespace) -> int:
    return worker.main(arguments.run)
