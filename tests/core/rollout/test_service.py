from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.data.imageset import ImageSet, as_float
from core.errors import BadInput
from core.files import write_json
from core.models.evaluate import answers
from core.rollout import place
from core.rollout.order import order
from core.rollout.rule import Rule
from core.rollout.service import Rollout
from core.rollout.split import in_share, key_of
from core.runs.record import Run
from core.victims import card_of, load_victim
from core.watch.log import entries
from tests.conftest import DiskFull

RULE = Rule(images=40, share=30.0, disagreement=60.0)


def opened(run: Run, rule: Rule | None = RULE, **more: Any) -> Rollout:
    return Rollout(run, rule, clock=lambda: 1000.0, **more)


@pytest.fixture
def mixed(digits: ImageSet, stickered: tuple[Tensor, list[int]]) -> Tensor:
    """50 images as they are and 20 with the sticker."""
    return torch.cat([as_float(digits.x_test[:50]), stickered[0][:20]])


@pytest.fixture
def both(mixed: Tensor) -> tuple[list[int], list[int]]:
    """What the original and the purified model answer to them, asked without a roll-out."""
    one, other = (answers(load_victim(name), mixed).tolist() for name in ("digits-badnets", "digits-blended"))
    assert one != other
    return one, other


def test_stage_by_stage_the_purified_model_takes_over(
    run: Run, mixed: Tensor, both: tuple[list[int], list[int]]
) -> None:
    original, purified = both
    x = (mixed * 255).round().byte()
    keys = [key_of(image.numpy().tobytes(), run.id) for image in x]
    shared = [p if in_share(key, 30.0) else o for key, o, p in zip(keys, original, purified, strict=True)]
    assert shared not in (original, purified)
    with opened(run) as rollout:
        assert (rollout.stage, rollout.answer(x)) == ("shadow", original)
        assert rollout.decision.move == "on"
        assert rollout.stage == "shadow", "only a person goes on"
        rollout.move("share")
        assert rollout.answer(x) == shared
        rollout.move("all")
        assert rollout.answer(x.float() / 255) == purified
        assert rollout.state.images == 210
        rollout.move("off")
        assert rollout.answer(x) == original
        assert rollout.state.images == 210, "nothing is compared"


def test_it_goes_on_by_itself_where_it_may(run: Run, digits: ImageSet) -> None:
    with opened(run, automatic=True) as rollout:
        rollout.answer(digits.x_test[:50])
        assert rollout.stage == "share"
        (move,) = rollout.state.moves
        assert (move["by"], move["why"][0][0]) == ("rule", "agrees")


def test_it_goes_back_by_itself_and_says_why(run: Run, digits: ImageSet) -> None:
    """The "purified" model calls each digit by the name of the next one."""
    path = run.folder / "model.safetensors"
    tensors = load_file(path)
    save_file({name: value.roll(1, 0) if value.shape[:1] == (10,) else value for name, value in tensors.items()}, path)
    with opened(run, Rule(images=10, disagreement=20.0), anew=True) as rollout:
        rollout.move("share")
        rollout.answer(digits.x_test[:50])
        counted = rollout.state.moves[-1]
    state = place.read_state(place.folder_of(run))
    assert state is not None
    assert (state.stage, counted["by"]) == ("shadow", "rule")
    assert counted["why"][0][0] == "disagreement"


def test_on_stickers_the_models_differ_and_that_counts_for_it(run: Run, stickered: tuple[Tensor, list[int]]) -> None:
    x, labels = stickered
    with opened(run, Rule()) as rollout:
        used = rollout.answer(x, labels=labels)
        tally = rollout.state.tally
    assert used.count(card_of("digits-badnets").target) > 50, "shadow: the original still answers"
    assert tally.flagged > 40
    assert tally.averted > 0.9 * tally.flagged
    assert tally.alarms == 0


def test_a_model_that_follows_the_trigger_raises_the_alarm_and_goes_off(
    run: Run, stickered: tuple[Tensor, list[int]]
) -> None:
    """The "purified" model is the victim itself."""
    shutil.copy(card_of("digits-badnets").weights, run.folder / "model.safetensors")
    with opened(run, Rule(), anew=True) as rollout:
        rollout.answer(stickered[0])
        assert rollout.stage == "off"
        assert rollout.state.moves[-1]["why"][0][0] == "alarms"


def test_it_goes_on_where_it_was_left_and_torn_lines_are_no_loss(run: Run, digits: ImageSet) -> None:
    with opened(run) as rollout:
        rollout.answer(digits.x_test[:20])
        rollout.move("share")
        rollout.answer(digits.x_test[20:30])
    log = place.folder_of(run) / place.LOG
    with log.open("ab") as file:
        file.write(b'{"kind": "ima')
    with opened(run, None) as rollout:
        assert (rollout.stage, rollout.state.tally.images, rollout.state.rule) == ("share", 10, RULE)
        rollout.answer(digits.x_test[30:35])
        assert rollout.state.tally.images == 15
    assert sum(entry["kind"] == "image" for entry in entries(log)) == 35


def test_killed_before_the_state_was_written_the_log_has_it(run: Run, digits: ImageSet) -> None:
    folder = place.folder_of(run)
    with opened(run) as rollout:
        rollout.answer(digits.x_test[:10])
        before = (folder / place.STATE).read_bytes()
        rollout.answer(digits.x_test[10:20])
    (folder / place.STATE).write_bytes(before)
    with opened(run) as rollout:
        assert rollout.state.tally.images == 20
    (folder / place.STATE).unlink()
    with opened(run) as rollout:
        assert rollout.state.tally.images == 20


def test_pictures_are_kept_of_the_images_they_differ_on(run: Run, stickered: tuple[Tensor, list[int]]) -> None:
    with opened(run, Rule()) as rollout:
        rollout.answer(stickered[0])
        named = {one["key"] for one in (*rollout.state.differing, *rollout.state.averted)}
    assert named
    assert {path.stem for path in (place.folder_of(run) / place.PICTURES).glob("*.png")} == named


def test_a_person_decides_while_it_is_held_and_while_it_is_not(run: Run, digits: ImageSet) -> None:
    with opened(run) as rollout:
        assert order(run, "on") == "share"
        assert rollout.stage == "shadow"
        rollout.answer(digits.x_test[:5])
        assert rollout.stage == "share"
    assert order(run, "on", moment=2000.0) == "all"
    with opened(run) as rollout:
        assert rollout.stage == "all"
        assert [move["by"] for move in rollout.state.moves] == ["person", "person"]


def test_an_order_for_a_stage_that_is_over_or_none_at_all_is_dropped(run: Run, digits: ImageSet) -> None:
    with opened(run) as rollout:
        path = rollout.folder / place.ORDER
        for wrong in ({"from": "share", "to": "all"}, {"from": "shadow", "to": "all"}, ["shadow"]):
            write_json(path, wrong)
            rollout.obey()
            assert rollout.stage == "shadow"
            assert not path.exists()


def test_an_order_that_nobody_took_up_does_not_outlive_the_stage_it_was_given_in(run: Run, digits: ImageSet) -> None:
    """The process that held the roll-out was killed before it read the order; a person decided anew meanwhile."""
    opened(run).close()
    path = place.folder_of(run) / place.ORDER
    write_json(path, {"from": "shadow", "to": "share"})
    assert [order(run, "on"), order(run, "back")] == ["share", "shadow"]
    with opened(run) as rollout:
        rollout.answer(digits.x_test[:5])
        assert rollout.stage == "shadow"
    write_json(path, {"from": "shadow", "to": "share"})
    with opened(run, anew=True) as rollout:
        rollout.answer(digits.x_test[:5])
        assert rollout.stage == "shadow"


def test_an_order_given_of_a_stage_that_is_over_moves_nothing(run: Run) -> None:
    """A process was killed between the log of its move and the state: who decides has seen the stage before."""
    opened(run).close()
    folder = place.folder_of(run)
    before = (folder / place.STATE).read_bytes()
    assert order(run, "on") == "share"
    (folder / place.STATE).write_bytes(before)
    assert order(run, "back") == "share"
    state = place.read_state(folder)
    assert state is not None
    assert state.stage == "share"


def test_two_on_one_run_are_refused(run: Run) -> None:
    with opened(run), pytest.raises(BadInput) as fault:
        opened(run)
    assert fault.value.code == "rollout_held"


@pytest.mark.parametrize("begun", [True, False])
def test_another_model_than_the_run_handed_out_or_it_began_with_is_refused(run: Run, begun: bool) -> None:
    if begun:
        opened(run).close()
    shutil.copy(card_of("digits-badnets").weights, run.folder / "model.safetensors")
    with pytest.raises(BadInput) as fault:
        opened(run)
    assert fault.value.code == "rollout_other_model"
    with opened(run, anew=True) as rollout:
        assert rollout.stage == "shadow"


def test_without_a_purified_model_there_is_nothing_to_roll_out(run: Run) -> None:
    (run.folder / "model.safetensors").unlink()
    with pytest.raises(BadInput) as fault:
        opened(run)
    assert fault.value.code == "nothing_purified"


def test_answers_are_given_when_the_log_cannot_be_written(
    run: Run, mixed: Tensor, both: tuple[list[int], list[int]], disk_full: DiskFull
) -> None:
    said: list[str] = []
    with opened(run, say=said.append) as rollout, disk_full():
        assert rollout.answer(mixed) == both[0]
        rollout.answer(mixed)
        assert rollout.state.images == 0
    assert len(said) == 1
    assert "No space left" in said[0]


def test_images_of_another_size_are_refused(run: Run) -> None:
    with opened(run) as rollout, pytest.raises(BadInput) as fault:
        rollout.answer(torch.zeros(1, 3, 5, 5))
    assert fault.value.code == "images_not_for_the_guard"
