"""The stage "purify" of a run: trains a defence to its last step, with checkpoints and frames of the map."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from core.defenses import Defence, make
from core.engine.finding import Budget, write_triggers
from core.engine.outcome import Purified, measure_purified
from core.engine.state import Clock, State
from core.events import Event, StageStarted, Step
from core.triggers.reconstructed import Confidence

CHECKPOINT_EVERY = 10  # steps
PROGRESS_EVERY = 5  # steps


@dataclass(frozen=True)
class Purification:
    """A purification after its last step.

    Attributes:
        defence: the defence.
        steps: steps done, those of an abandoned first attempt included.
        purified: the purified model and its figures, if they were needed to accept the attempt; else None.
    """

    defence: Defence
    steps: int
    purified: Purified | None = None


def purify(state: State, budget: Budget) -> Generator[Event, None, Purification]:
    """Purifies a copy of the model.

    If the scan shows no sign of a backdoor, its triggers are trained against as a precaution, together with random
    stamps. If that costs too much BA, the attempt is abandoned, and a second one uses stamps alone. The record notes
    the abandoned attempt before anything else changes, so that a resumed run goes on with the second one.
    """
    clock = Clock(state.context.steering)
    yield StageStarted("purify")
    if state.abandoned_steps:
        _distrust_triggers(state)
    purification = yield from _train(state, budget, clock)
    if purification.defence.stamps == "beside" and state.scanned and state.scanned.verdict == "none":
        purified = measure_purified(state, purification.defence)
        if purified.ba_held:
            purification = replace(purification, purified=purified)
        else:
            state.context.run.update(steps_before=purification.steps)
            _distrust_triggers(state)
            purification = yield from _train(state, budget, clock)
    state.seconds["purify"] = round(clock.seconds(), 2)
    return purification


def _distrust_triggers(state: State) -> None:
    """Drops the checkpoint, and sets the confidence in the triggers to none, unless that was done before."""
    if any(trigger.confidence is not Confidence.NONE for trigger in state.triggers):
        state.context.run.drop_checkpoint()
        write_triggers(state, state.triggers, Confidence.NONE)
        state.recall_triggers()


def _train(state: State, budget: Budget, clock: Clock) -> Generator[Event, None, Purification]:
    """Trains the defence to its last step, from the checkpoint if there is one.

    Steps are counted on from those of an abandoned attempt. Steps that are repeated after a crash are on record already
    and give no event.
    """
    context, abandoned = state.context, state.abandoned_steps
    spec, run = context.spec, context.run
    triggers = [*state.triggers, *state.restarts]
    defence = make(spec.defence, context.subject.model, *budget, triggers, context.settings, spec.seed)
    recorded = max((event.step for _, event in run.events() if isinstance(event, Step)), default=0)
    checkpoint = run.read_checkpoint()
    if checkpoint:
        defence.restore(*checkpoint)
    try:
        for done in defence.steps():
            step = replace(done, step=abandoned + done.step, total=abandoned + done.total)
            if step.step > recorded:
                yield Step(step.step, step.total, round(step.lr, 6), {k: round(v, 4) for k, v in step.losses.items()})
            yield from state.map.finished(wait=False)
            if state.map.due(step):
                yield from state.map.frame(defence.result(), step.step)
            if step.step % PROGRESS_EVERY == 0:
                yield clock.progress("purify", step.step, step.total)
            if step.step % CHECKPOINT_EVERY == 0:
                run.write_checkpoint(*defence.state())
            asked = run.control != "run"
            if asked:  # the last frame is finished before a pause
                yield from state.map.finished()
            context.steering.check(read=asked)
    except BaseException as end:
        if defence.done:
            run.write_checkpoint(*defence.state())
        if not isinstance(end, GeneratorExit):  # nobody takes events after that
            yield from state.map.finished()
        raise
    run.write_checkpoint(*defence.state())
    yield from state.map.finished()
    return Purification(defence, abandoned + defence.done)
