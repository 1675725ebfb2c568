"""What the story says of a purification: before, while it works, and once it has ended, well or not."""

from __future__ import annotations

from core.report.advice import ASR_LIMIT
from core.runs.record import Run
from core.words import clock
from dashboard import data, i18n
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.words import percent


def purify(recording: Run, run: Run | None, digest: Digest | None) -> tuple[str, str]:
    """Headline and text of the screen that purifies, for how things stand."""
    if run is None or digest is None:
        count = (recording.data.get("result") or {}).get("clean_images", 0)
        return t("story.title.purify"), t("story.text.purify", count=count)
    if run.status in data.GOING:
        return t("story.title.purify"), _busy(run, digest)
    if digest.before is None or digest.after is None:
        return t("story.title.purify"), f"{_why_ended(run)} {t('story.text.ended')}".strip()
    before, after = percent(digest.before.asr), percent(digest.after.asr)
    ba = percent(digest.after.ba)
    if run.is_recording:
        return t("story.title.purify"), t("story.text.replay", asr_before=before, asr_after=after, ba=ba)
    gone = digest.after.asr is not None and digest.after.asr < ASR_LIMIT
    return t("story.title.done" if gone else "story.title.purify"), t(
        "story.text.done", asr_before=before, asr_after=after, ba=ba
    )


def _why_ended(run: Run) -> str:
    """What kept a run from its end, as far as the reader can do something about it."""
    failure = run.data.get("failure") or {}
    code = str(failure.get("code", "internal"))
    if run.status != "failed" or code == "internal":
        return ""
    return i18n.error(code, str(failure.get("message", "")), failure.get("facts") or {})


def _busy(run: Run, digest: Digest) -> str:
    """What the run is doing, in one sentence, and how long that will take."""
    if digest.stage is None or run.status != "running":
        return i18n.t(f"lead.{run.status}") if run.status != "running" else t("lead.queued")
    stage = i18n.t(f"phase.{digest.stage}")
    meaning = t("story.text.verify") if digest.stage == "verify" else i18n.t(f"phase.{digest.stage}_help")
    if digest.progress is None or digest.progress.seconds_left is None:
        return t("story.text.busy", stage=stage, help=meaning)
    return t("story.text.left", stage=stage, help=meaning, time=clock(digest.progress.seconds_left))
