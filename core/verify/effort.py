"""The work of each test of a proof, in image passes: what its progress and the time left are counted by.

A unit is one image through one network. The way back to the image or the weights counts as two more. The numbers
follow from the settings of the tests, and hold for any size of image: a larger one makes all passes slower alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.registry import loaded
from core.scan import FORMS
from core.scan.duration import image_passes
from core.scan.every_form import COMPARISON_CLASSES
from core.scan.scan import settings_of
from core.scan.shared import OTHERS
from core.scan.warped import DETECTION_IMAGES
from core.verify import path, probes
from core.verify.comparison import PRESELECTION_IMAGES, SHARED_EFFORT, WORST_TRIGGERS
from core.verify.revival import RevivalSettings

FORWARD_BACKWARD = 3  # forward passes that a forward and a backward pass take as long as
VARIANTS = 6  # of a fresh trigger, itself among them (``core.verify.probes.variants``)
# fresh triggers that are small enough to be measured: those of one form, or more
WORKING_TRIGGERS = probes.RESTARTS + 1
COPIES = 2  # that the revival retunes
JUDGED = 1  # units of a test that mostly has nothing to compute


def passes(classes: int, search_images: int, asr_images: int, suspects: int) -> Mapping[str, int]:
    """Image passes of each test, in the order in which the tests are made.

    How many triggers work, whether one is a warp, and whether the new scan needs all its forms, is not known before. So
    these are what a cure that holds takes.

    Args:
        classes: of the network.
        search_images, asr_images: test images to search on, and to measure on.
        suspects: other classes that stood out on the victim.
    """
    searched = probes.RESTARTS + min(COMPARISON_CLASSES, classes - 1)  # triggers that a search makes at once
    scanned = sum(image_passes(classes, settings_of(loaded(module), refined=False)) for module in FORMS.values())
    shared_at_once = probes.RESTARTS + min(OTHERS, classes - 1)
    inversions = len(FORMS) * probes.EFFORT.steps * probes.EFFORT.images * searched
    preselected = 2 * VARIANTS * WORKING_TRIGGERS * min(PRESELECTION_IMAGES, asr_images)
    warped = min(DETECTION_IMAGES, search_images)
    fresh = FORWARD_BACKWARD * inversions + warped + preselected + WORST_TRIGGERS * asr_images
    on_both = FORWARD_BACKWARD * SHARED_EFFORT.steps * SHARED_EFFORT.images + asr_images
    retuned = RevivalSettings.poisoned + RevivalSettings.clean
    return {
        "true": JUDGED,
        "search": FORWARD_BACKWARD * scanned,
        "fresh": fresh,
        "scan": JUDGED,
        "woken": JUDGED,
        "both": 2 * len(FORMS) * shared_at_once * on_both,
        "reach": JUDGED,
        "shared": JUDGED,
        "others": suspects * fresh,
        "path": len(path.SHARES) * (min(path.STATISTICS_IMAGES, search_images) + WORST_TRIGGERS * asr_images),
        "revival": COPIES * (FORWARD_BACKWARD * RevivalSettings.epochs * retuned + asr_images),
    }
