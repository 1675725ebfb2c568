"""What is kept of a visit to the data room that becomes a recording."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from core.dataroom import place, recording
from core.dataroom.place import Order


def test_no_path_of_the_machine_and_no_candidate_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    way = {"ba": 90.0, "asr": 1.0, "weights": f"{kept}/candidate-retrain.safetensors", "card": f"{kept}/card.json"}
    (kept / place.RESULT).write_text(json.dumps({"list": f"{kept}/cleaned.csv", "then": {"retrain": way}}))
    for name in (place.LIST, place.MAP, place.TRUTH, "candidate-retrain.safetensors"):
        (kept / name).write_text("index\n")
    Image.new("RGB", (48, 48), "red").save(kept / place.SUSPICIOUS)
    order = Order("signs", "badnets", filters=("ss",), then="all")
    made = recording.record(kept, order, tmp_path / "out")
    result = place.result_in(made.folder)
    assert result is not None
    assert result["list"] == "cleaned.csv"
    assert result["then"]["retrain"] == {"ba": 90.0, "asr": 1.0, "weights": "candidate-retrain.safetensors"}
    assert place.order_in(made.folder) == order
    assert not list(made.folder.glob("*.safetensors"))
    assert str(tmp_path) not in (made.folder / place.RESULT).read_text()
    red, green, blue = Image.open(made.folder / place.SUSPICIOUS).convert("RGB").resize((1, 1)).tobytes()
    assert red > 240
    assert max(green, blue) < 15
