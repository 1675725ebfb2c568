"""Finding the nodes of a cluster, and no more runs for those that are not fit; with nodes, see ``test_dask``."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("distributed", reason="the engine dask needs the package distributed")

from core.errors import BadInput
from core.fleet.engines import Asked, EngineGone
from core.fleet.engines.nodes import Nodes


def test_a_cluster_that_nobody_answers_for_is_given_up() -> None:
    at = Nodes(Asked(address="tcp://127.0.0.1:1"), 0.0, time.monotonic, connect=0.5)
    with pytest.raises(EngineGone) as caught:
        at.connect()
    at.close()
    assert caught.value.fault.code == "fleet_engine_unreachable"
    assert "tcp://127.0.0.1:1 does not answer" in caught.value.fault.message


def test_where_no_node_is_fit_the_sentence_is_that_of_one() -> None:
    at = Nodes(Asked(address="tcp://there:8786"), 0.0, time.monotonic)
    assert at.fit() is None, "all"
    at.refuse("tcp://there:1", BadInput("fleet_node_images", "It has not got the images."))
    with pytest.raises(EngineGone, match="has not got the images"):
        at.fit()


def test_a_cluster_without_nodes_is_given_up_when_patience_is_over() -> None:
    moments = [100.0]
    at = Nodes(Asked(address="tcp://there:8786"), 30.0, lambda: moments[-1])
    at.look()
    moments.append(129.0)
    at.look()
    moments.append(132.0)
    with pytest.raises(EngineGone) as caught:
        at.look()
    assert caught.value.fault.code == "fleet_engine_empty"
