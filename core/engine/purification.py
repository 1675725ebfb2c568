"""The stage "purify" of a run: trains a defence to its last step, with checkpoints and frames of the map."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from core.defenses import Defence, make
from core.engine.finding import Budget, write_triggers
from core.engine.outcome import measure_purified
from core.engine.proven import Purified
from core.engine.state import Clock, State
from core.events import Event, StageStarted, Step
from core.triggers.reconstructed import Confidence, Reconstructed

CHECKPOINT_EVERY = 10  # steps
PROGRESS_EVERY = 5  # steps


@dataclass(frozen=True)
class Purification:
    """A purification after its last step.

    Attributes:
        defence: the defence.
        steps: steps of the run, those of an abandoned first attempt and of earlier purifications included.
        purified: the purified model and its figures, if they were needed to accept the attempt; else None.
    """

    defence: Defence
    steps: int
    purified: Purified | None = None


def purify(state: State, budget: Budget) -> Generator[Event, None, Purification]:
    """Purifies a copy of the model as it is: the victim, or the one that was purified last.

    If the scan shows no sign of a backdoor, its triggers are trained against as a precaution, together with random
    stamps. If that costs too much BA, the attempt is abandoned, and a second one uses stamps alone. The record notes
    the abandoned attempt before anything else changes, so that a resumed run goes on with the second one.
    """
    clock = Clock(state.context.steering)
    yield StageStarted("purify")
    if state.abandoned_steps and state.number == 1:
        _distrust_triggers(state)
    purification = yield from _train(state, budget, clock)
    unsigned = state.number == 1 and state.scanned is not None and state.scanned.verdict == "none"
    if unsigned and purification.defence.stamps == "beside":
        purified = measure_purified(state, purification.defence)
        if purified.ba_held:
            purification = replace(purification, purified=purified)
        else:
            state.context.run.update(steps_before=purification.steps)
            _distrust_triggers(state)
            purification = yield from _train(state, budget, clock)
    state.spent("purify", clock)
    return purification


def _distrust_triggers(state: State) -> None:
    """Drops the checkpoint, and sets the confidence in the triggers to none, unless that was done before."""
    if any(trigger.confidence is not Confidence.NONE for trigger in state.triggers):
        state.context.run.drop_checkpoint()
        write_triggers(state, state.triggers, Confidence.NONE)
        if state.restarts:
            write_triggers(state, state.restarts, Confidence.NONE, "restarts")
        state.recall_triggers()


def _train(state: State, budget: Budget, clock: Clock) -> Generator[Event, None, Purification]:
    """Trains the defence to its last step, from the checkpoint if there is one.

    Steps are counted on from those of an abandoned attempt, or of the purification before. Steps that are repeated
    after a crash are on record already and give no event.
    """
    context, before = state.context, state.steps_before
    spec, run = context.spec, context.run
    defence = make(spec.defence, state.start, *budget, _triggers(state), context.settings, spec.seed)
    recorded = max((event.step for _, event in run.events() if isinstance(event, Step)), default=0)
    checkpoint, mark = run.read_checkpoint(), {} if state.number == 1 else {"purification": state.number}
    if checkpoint and checkpoint[1].get("purification", 1) == state.number:
        defence.restore(*checkpoint)

    def write_checkpoint() -> None:
        tensors, numbers = defence.state()
        run.write_checkpoint(tensors, numbers | mark)

    try:
        for done in defence.steps():
            step = replace(done, step=before + done.step, total=before + done.total)
            if step.step > recorded:
                yield Step(step.step, step.total, round(step.lr, 6), {k: round(v, 4) for k, v in step.losses.items()})
            yield from state.map.finished(wait=False)
            if state.map.due(step):
                yield from state.map.frame(defence.result(), step.step)
            if step.step % PROGRESS_EVERY == 0:
                yield clock.progress("purify", step.step, step.total)
            if step.step % CHECKPOINT_EVERY == 0:
                write_checkpoint()
            asked = run.control != "run"
            if asked:  # the last frame is finished before a pause
                yield from state.map.finished()
            context.steering.check(read=asked)
    except BaseException as end:
        if defence.done:
            write_checkpoint()
        if not isinstance(end, GeneratorExit):  # nobody takes events after that
            yield from state.map.finished()
        raise
    write_checkpoint()
    yield from state.map.finished()
    return Purification(defence, before + defence.done)


def _triggers(state: State) -> list[Reconstructed]:
    """The triggers to train against: of the class that this purification adds first, since a defence relies on all as
    far as on the first one; of the classes before it unless there is no confidence in them."""
    known = [*state.triggers, *state.restarts]
    if state.number == 1:
        return known
    return [*state.further_triggers, *(one for one in known if one.confidence is not Confidence.NONE)]
