from __future__ import annotations

import numpy as np
import pytest

from core.errors import BadInput
from core.explore.material import material
from core.runs import file_hashes
from core.runs.record import Run


def test_pixels_are_those_of_the_record(recording: Run) -> None:
    examples = recording.examples()
    assert examples is not None
    stuff = material(recording)
    twins = stuff.samples.twin[examples.sample]
    for points, expected in ((examples.sample, examples.triggered), (twins, examples.clean)):
        pixels = stuff.pixels([int(point) for point in points]).mul(255).round().permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(pixels, expected, atol=1)


def test_the_purified_model_is_there_where_its_weights_are(recording: Run, own_run: Run) -> None:
    assert len(material(recording).models) == 1
    assert len(material(own_run).models) == 2


def test_other_images_at_the_same_place_are_refused(own_run: Run) -> None:
    samples = own_run.samples
    assert samples is not None
    own_run.write_samples(samples.index, (samples.label + 1) % 10, samples.triggered, samples.twin)
    with pytest.raises(BadInput) as fault:
        material(own_run)
    assert fault.value.code == "images_changed"


def test_a_run_without_a_map_has_nothing_to_explore(own_run: Run) -> None:
    (own_run.folder / "samples.npz").unlink()
    with pytest.raises(BadInput) as fault:
        material(own_run)
    assert fault.value.code == "no_frames"


def test_a_swapped_result_is_refused(own_run: Run) -> None:
    result = own_run.folder / "model.safetensors"
    own_run.update(outputs={"model.safetensors": file_hashes.of_file(result)})
    assert len(material(own_run).models) == 2
    result.write_bytes(result.read_bytes() + b"\0")
    with pytest.raises(BadInput) as fault:
        material(own_run)
    assert fault.value.code == "result_changed"
