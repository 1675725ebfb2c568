"""``digits``: real handwritten digits, 8 x 8, that come with scikit-learn.

UCI "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, 1998, CC BY 4.0: the 1,797 images of
its test part.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from core.data.imageset import ImageSet

SIDE = 16
NAMES = tuple("0123456789")
TRAIN_SHARE = 2 / 3


def load() -> ImageSet:
    """About 1,200 training and 600 test images, 16 x 16, grey in all three channels; the split is fixed."""
    from sklearn.datasets import load_digits

    from core.data.split import stratified_split

    digits = load_digits()
    small = torch.from_numpy(np.asarray(digits.images, dtype=np.float32))[:, None] / 16
    large = F.interpolate(small, size=(SIDE, SIDE), mode="bicubic", align_corners=False)
    images = large.clamp(0, 1).mul(255).round().byte().expand(-1, 3, -1, -1).contiguous()
    labels = torch.from_numpy(np.asarray(digits.target, dtype=np.int64))
    train, test = stratified_split(labels, NAMES, TRAIN_SHARE, seed=0)
    return ImageSet(
        name="digits",
        x_train=images[train],
        y_train=labels[train],
        x_test=images[test],
        y_test=labels[test],
        class_names=NAMES,
        mean=(0.3, 0.3, 0.3),
        std=(0.35, 0.35, 0.35),
        own=True,
    )
