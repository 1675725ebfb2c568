"""The stage "verify" of a run: the proof of a cure, and the figures of the purified model that follow from it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from core.compute.returning import Returning
from core.engine.finding import write_triggers
from core.engine.outcome import measure_purified
from core.engine.proven import Proven
from core.engine.purification import Purification
from core.engine.state import Clock, State
from core.events import Event, StageStarted, Verified
from core.scan.verdict import other_suspects
from core.triggers.reconstructed import Confidence
from core.verify.proof import Proof

RECORDED_FRESH = 4  # triggers of the proof that are written to the record at most, the most successful first
PROOF_REPORTS = 60  # progress events of the proof, about


def prove(state: State, purification: Purification) -> Generator[Event, None, Proven]:
    """Proves the cure against the victim as it came, whichever purification of the run this is.

    A class that only an earlier proof of the run named is tested with fresh triggers of the model that showed it.
    """
    clock = Clock(state.context.steering)
    yield StageStarted("verify")
    purified = purification.purified or measure_purified(state, purification.defence)
    context, after = state.context, purified.after
    target_known = context.spec.target is not None or context.subject.card is not None
    signs = state.scanned is not None and state.scanned.verdict != "none"
    known = (*state.triggers, *state.restarts, *state.further_triggers)
    proof = Proof(
        victim=context.subject.model,
        purified=purified.model,
        images=context.images.x_test,
        labels=context.images.y_test,
        target=state.attack_target,
        seed=context.spec.seed,
        warped={one.target for one in known if one.form == "warp"},
        true_asr=after.asr if after.asr_kind == "true" else None,
        trigger=context.subject.trigger,
        backdoor_found=target_known or signs,
        suspects=[*_other_suspects(state), *state.source_models],
        source_models=state.source_models,
    )
    steps, reported = Returning(proof.steps()), 0
    for done, total in steps:
        context.steering.check()
        if abs(done - reported) >= total // PROOF_REPORTS:  # done falls back where more is to be done than expected
            reported = done
            yield clock.progress("verify", done, total)
    verified: Verified = steps.result
    if proof.fresh:
        file = write_triggers(state, proof.fresh[:RECORDED_FRESH], Confidence.SURE, "fresh", state.number)
        verified = replace(verified, trigger=file)
    # the triggers of the training flatter the estimate: it is never below what the proof's own triggers reach
    if after.asr_kind == "estimated" and verified.asr is not None:
        purified = replace(purified, after=replace(after, asr=max(after.asr, verified.asr)))
    state.spent("verify", clock)
    worst = next(iter(proof.fresh), None)
    return Proven(state.current_target, purification.steps, purification.defence.stamps, purified, verified, worst)


def _other_suspects(state: State) -> list[int]:
    """Classes that stood out on the victim beside the one that was purified, by their sizes or by warps."""
    if (found := state.scanned) is None:
        return []
    by_size = other_suspects(found.suspicion, found.verdict, found.target, state.attack_target)
    return [label for label in dict.fromkeys([*by_size, *found.others]) if label != state.attack_target]
