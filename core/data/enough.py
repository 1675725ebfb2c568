"""A sufficient clean budget for small image sets. Pages use it too, so it does not load torch."""

ENOUGH = 500  # images: fewer, as a share of a small set comes to, are too little to purify with


def enough(available: int, num_classes: int) -> int:
    """``ENOUGH`` images, at least 10 a class, and at most all there are."""
    return min(max(10 * num_classes, ENOUGH), available)
