"""``Rollout``: answers images with the original or the purified model of a run, as the stage of its roll-out has it.

In every stage both models answer, since the rule goes on comparing them; only in the stage "off" the original is alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from core import __version__
from core.data.imageset import as_float
from core.errors import BadInput
from core.files import require_room, write_atomic
from core.jobs.lock import held
from core.models.evaluate import features_and_logits
from core.rollout import place
from core.rollout.order import forget, stage_entry, taken
from core.rollout.rule import Decision, Rule, Stage, next_stage
from core.rollout.split import answers_purified, key_of
from core.runs import file_hashes
from core.runs.record import Run
from core.watch.detector import Watched
from core.watch.guard import Guard
from core.watch.inbox import Arrival
from core.watch.log import Log
from core.watch.source import Loaded, Progress, load, profile_of, source_of

BATCH = 256  # images that are answered and logged together


class Rollout:
    """A roll-out, held by this process until it is closed. The first one of a run begins in the stage "shadow".

    One thread at a time may ask it.

    Args:
        run: one that is done and handed out a purified model, or a recording.
        rule: when a stage is over; by default that of before, or ``Rule()``.
        automatic: go on by itself where the rule says so. Back it always goes by itself.
        anew: begin again in the stage "shadow"; what was logged stays.
        progress: of the profile that the guard needs, the first time.
        say: called with one sentence for each thing that went wrong.
        clock: seconds since 1970.

    Raises:
        BadInput: ``nothing_purified``, ``weights_gone``: it needs both models; ``rollout_held``: another process has
            it; ``rollout_broken``; ``rollout_other_model``: a model is another file than on the run's record, or than
            when it began.
    """

    def __init__(
        self,
        run: Run,
        rule: Rule | None = None,
        *,
        automatic: bool = False,
        anew: bool = False,
        progress: Progress | None = None,
        say: Callable[[str], None] = lambda sentence: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.run, self.folder = run, place.folder_of(run)
        self._automatic, self._say, self._clock = automatic, say, clock
        self._reported = False
        with ExitStack() as stack:
            purified, original = source_of(run, "purified"), source_of(run, "victim")
            require_room(self.folder)
            if not stack.enter_context(held(self.folder / place.LOCK, patience=0.0)):
                raise BadInput(
                    "rollout_held",
                    f"The roll-out of {run.id} is held by another process already; end that one first.",
                    run=run.id,
                )
            self.state, self._digest, self._length, self.seen = place.replay(self.folder)
            models = {
                "original": file_hashes.fresh_of_weights(original.file),
                "purified": file_hashes.fresh_of_weights(purified.file),
            }
            recorded = {"original": original.recorded, "purified": purified.recorded}
            self._check(models, self.state.models or recorded, anew)
            loaded = load(purified)
            assert loaded.watched.second is not None, "source_of found the original's file"
            self._model, self.classes, self.bits = loaded.watched.model, loaded.classes, loaded.bits
            alone = Loaded(
                Watched(loaded.watched.second), loaded.images, loaded.labels, loaded.classes, loaded.bits
            )  # the guard must not flag an image because the two disagree: that is what is measured
            profile = profile_of(
                replace(original, second=None), alone, models["original"], progress, self.folder / place.PROFILE
            )
            self._guard = Guard(loaded.watched.second, profile)
            self.size = profile.size
            self._log = Log(self.folder / place.LOG)
            stack.callback(self._log.close)
            first = not self._length
            if first or anew:
                forget(self.folder)
            if first or anew or (rule is not None and rule != self.state.rule) or models != self.state.models:
                self._append([self._start(rule or self.state.rule, models, first or anew)])
            self._keep()
            self._stack = stack.pop_all()

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Rollout:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def stage(self) -> Stage:
        return self.state.stage

    @property
    def decision(self) -> Decision:
        """What the rule says now."""
        return self.state.decision

    def answer(
        self,
        images: Tensor | np.ndarray,
        labels: Sequence[int | None] | None = None,
        arrivals: Sequence[Arrival] | None = None,
    ) -> list[int]:
        """The class to use for each image.

        An answer is given whether it can be logged or not; what cannot be logged is not counted.

        Args:
            images: (n, 3, h, w), uint8 or float in [0, 1]; an array may be (n, h, w, 3).
            labels: the true class of each image where it is known, for the accuracy.
            arrivals: the files they were read from.

        Raises:
            BadInput: ``images_not_for_the_guard``.
        """
        pixels = self._guard.checked(images)
        found: list[int] = []
        for at in range(0, len(pixels), BATCH):
            part = slice(at, at + BATCH)
            found += self._answer(pixels[part], labels[part] if labels else None, arrivals[part] if arrivals else None)
        return found

    def move(self, to: Stage, by: str = "person") -> None:
        """Turns to another stage, whose counts begin at 0."""
        reasons = [[reason.key, dict(reason.facts)] for reason in self.decision.reasons] if by == "rule" else []
        if self._append([stage_entry(self.stage, to, by, reasons, self._clock())]):
            self._keep()

    def obey(self) -> None:
        """Takes up what a person asked for on the page or the command line."""
        to = taken(self.folder, self.stage)
        if to is not None:
            self.move(to)

    def _answer(
        self, pixels: Tensor, labels: Sequence[int | None] | None, arrivals: Sequence[Arrival] | None
    ) -> list[int]:
        self.obey()
        findings = self._guard.look(pixels)
        original = [finding.answer for finding in findings]
        if self.stage == "off":
            return original
        purified = features_and_logits(self._model, pixels)[1].argmax(1).tolist()
        share = self.state.rule.share
        used: list[int] = []
        entries: list[dict[str, Any]] = []
        bytes_of = (as_float(pixels) * 255).round().byte().cpu().numpy()
        for at, finding in enumerate(findings):
            key = key_of(bytes_of[at].tobytes(), self.run.id)
            trusts = answers_purified(self.stage, key, share)
            used.append(purified[at] if trusts else original[at])
            entries.append(
                {
                    "kind": "image", "t": round(self._clock(), 3), "key": key, "original": original[at],
                    "purified": purified[at], "used": "purified" if trusts else "original",
                    "flagged": finding.flagged, "score": round(finding.score, 4),
                    **({"label": labels[at]} if labels and labels[at] is not None else {}),
                    **(arrivals[at]._asdict() if arrivals else {}),
                }
            )  # fmt: skip
        if self._append(entries):
            self._picture({entry["key"]: image for entry, image in zip(entries, bytes_of, strict=True)})
            self._judge()
            self._keep()
        return used

    def _judge(self) -> None:
        """Goes where the rule says, as far as it may by itself."""
        move = self.decision.move
        to = next_stage(self.stage, move)
        if to != self.stage and (move == "back" or self._automatic):
            self.move(to, by="rule")

    def _check(self, models: dict[str, str], known: dict[str, str], anew: bool) -> None:
        """Refuses a model that verdict and cure are not of. ``known``: its SHA-256, "" where the record has none."""
        other = next((name for name in models if known.get(name) and known[name] != models[name]), None)
        if other is not None and not anew:
            raise BadInput(
                "rollout_other_model",
                f"The {other} model of {self.run.id} is another file than the run has on record, or than when the "
                "roll-out began; put it back, or begin anew with --anew.",
                run=self.run.id, which=other,
            )  # fmt: skip

    def _start(self, rule: Rule, models: dict[str, str], anew: bool) -> dict[str, Any]:
        return {
            "kind": "start", "t": round(self._clock(), 3), "rule": asdict(rule), "models": models, "anew": anew,
            "classes": list(self.classes), "version": __version__,
        }  # fmt: skip

    def _append(self, entries: list[dict[str, Any]]) -> bool:
        """Logs entries and takes them; whether they are on the disk."""
        try:
            self._log.append(entries)
        except OSError as error:
            if not self._reported:
                self._say(f"The log of the roll-out cannot be written ({error.strerror}); images are answered and not "
                          f"counted until there is room in {self.folder}.")  # fmt: skip
            self._reported = True
            return False
        self._reported = False
        for entry in entries:
            content = place.line(entry)
            self._digest.update(content)
            self._length += len(content)
            self.state.take(entry)
            if entry.get("file"):
                self.seen[entry["file"]] = (entry["size"], entry["changed"])
        return True

    def _keep(self) -> None:
        """Writes where it stands; the log has it all, should that fail."""
        try:
            place.write_state(self.folder, self.state, {"bytes": self._length, "sha256": self._digest.hexdigest()})
        except OSError as error:
            self._say(f"The file {self.folder / place.STATE} cannot be written ({error.strerror}); make room there.")

    def _picture(self, by_key: dict[str, np.ndarray]) -> None:
        """Keeps a picture of each image that the state names, and of no other."""
        from PIL import Image

        folder = self.folder / place.PICTURES
        named = {str(entry["key"]) for entry in (*self.state.differing, *self.state.averted)}
        try:
            folder.mkdir(exist_ok=True)
            for key in named & by_key.keys():
                _save(folder / f"{key}.png", Image.fromarray(by_key[key].transpose(1, 2, 0)))
            for path in folder.glob("*.png"):
                if path.stem not in named:
                    path.unlink()
        except OSError:  # a picture is no figure
            return


def _save(path: Path, image: Any) -> None:
    import io

    content = io.BytesIO()
    image.save(content, "PNG")
    write_atomic(path, content.getvalue())
