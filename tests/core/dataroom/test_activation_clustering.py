from __future__ import annotations

from core.dataroom import activation_clustering
from tests.core.dataroom.made_up import TARGET, made_up, poisoned


def test_the_smaller_heap_of_the_target_is_flagged() -> None:
    material = made_up(poison=20, apart=20)
    judged = activation_clustering.judge(material, 0.05)
    flags, truth = judged.flags(material.labels), poisoned(material)
    assert judged.target == TARGET
    assert flags[truth].mean() >= 0.8
    assert flags[~truth].mean() <= 0.02
    assert judged.statistics is not None
    assert abs(judged.statistics[TARGET] - 20 / 80) < 0.1
