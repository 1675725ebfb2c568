"""A scan whose verdict is neither clear nor nothing is made again on another draw, and the mean of both counts.

A scan draws its images and its starts at random, and the suspicion of an honest class follows that draw: on one clean
network the same class had 3.0 octaves with one seed and -0.7 to 1.9 with four others. The suspicion of a backdoor's
target comes back. NOTES.md beside this file has the figures.
"""

from __future__ import annotations

from collections.abc import Generator

from torch import Tensor

from core.compute.returning import Returning
from core.models.classifier import Classifier
from core.scan.scan import Scan, scan
from core.scan.search_progress import SearchProgress
from core.scan.verdict import judge

SEED_OFFSET = 1000  # added to the seed for the second draw


def scan_twice_if_unclear(
    model: Classifier, images: Tensor, seed: int = 0, progress: SearchProgress | None = None
) -> Generator[tuple[int, int], None, Scan]:
    """A scan, and a second one where the verdict on the first is unclear.

    Args:
        model, images, seed, progress: as of ``core.scan.scan.scan``.

    Yields:
        units of work done and in all, as that. Once a second draw begins, the first one is half of the work: the units
        done fall back to half of it, and ``progress.draw`` is 2.
    """

    def second() -> Generator[tuple[int, int], None, Scan]:
        if progress:
            progress.begin_second_draw()
        search = Returning(scan(model, images, seed + SEED_OFFSET, progress))
        for done, total in search:
            yield (total + done) // 2, total
        return search.result

    return (yield from mean_if_unclear(scan(model, images, seed, progress), second()))


def mean_if_unclear(
    first: Generator[tuple[int, int], None, Scan], second: Generator[tuple[int, int], None, Scan]
) -> Generator[tuple[int, int], None, Scan]:
    """The first scan where its verdict is strong, or not even a hint; else the mean of both.

    Args:
        first, second: scans of one model that have not begun. The second one is only begun if it is needed.
    """
    found = yield from first
    verdict = judge(found)
    if verdict.grade == "strong" or not verdict.hint:
        return found
    return mean_of(found, (yield from second))


def mean_of(first: Scan, second: Scan) -> Scan:
    """One scan of two draws.

    The suspicion of each class is the mean of both, and the most suspicious class is the target. The forms, and with
    them gap and triggers, are those of the draw in which this class stood out more. Neither draw is decisive by itself.
    """
    suspicion = (first.suspicion + second.suspicion) / 2
    target = int(suspicion.argmax())
    clearer = max((first, second), key=lambda draw: float(draw.suspicion[target]))
    return Scan(clearer.forms, suspicion, target, draws=2)
