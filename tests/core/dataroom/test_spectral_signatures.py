from __future__ import annotations

import numpy as np

from core.dataroom import spectral_signatures
from tests.core.dataroom.made_up import TARGET, made_up, poisoned


def test_poison_that_is_the_lesser_part_of_its_class_is_flagged() -> None:
    material = made_up(poison=15, apart=20)
    judged = spectral_signatures.judge(material, 0.05)
    flags, truth = judged.flags(material.labels), poisoned(material)
    assert judged.suspected == (TARGET,)
    assert flags[truth].mean() >= 0.95


def test_the_statistic_is_the_variance_along_the_main_direction() -> None:
    material = made_up(poison=15)
    judged = spectral_signatures.judge(material, 0.05)
    for one in (0, TARGET):
        own = material.features[material.labels == one]
        assert judged.statistics is not None
        np.testing.assert_allclose(judged.statistics[one], np.linalg.eigvalsh(np.cov(own.T, bias=True))[-1])


def test_a_clean_set_has_no_suspected_class() -> None:
    assert spectral_signatures.judge(made_up(poison=0), 0.05).suspected == ()
