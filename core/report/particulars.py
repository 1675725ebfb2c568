"""Method, settings, time, files with their hashes, machine and versions: what a run can be repeated from."""

from __future__ import annotations

from core.report.facts import Hashed
from core.report.markup import Markup, el
from core.report.sections import section
from core.report.wording import Wording

VERSIONS = ("dissolve", "python", "torch", "numpy")  # shown in the report; the record has more


def particulars(say: Wording) -> Markup:
    """Method, settings, time, files with their hashes, machine and versions."""
    facts, words = say.facts, say.words
    rows: list[tuple[str, str | None]] = [
        ("method", _method(say)),
        ("settings", _settings(say)),
        ("clean", say("report.p.clean_text", count=words.count(facts.clean_images)) if facts.clean_images else None),
        ("images", words.name("data", facts.images)),
        ("network", _network(say)),
        ("time", _time(say)),
        ("machine", _machine(say)),
        ("versions", _versions(say)),
    ]
    short = [el("div", el("dt", say(f"report.p.{name}")), el("dd", text)) for name, text in rows if text]
    files = [el("div", el("dt", say("report.p.input")), el("dd", *_hash(say, facts.weights)))] if facts.weights else []
    files += [el("div", el("dt", say("report.p.output")), el("dd", *_hash(say, result))) for result in facts.results]
    if not facts.results and not facts.spec.scan_only and not facts.going:
        shipped = facts.recording and facts.held is not False
        text = say("report.p.not_shipped" if shipped else "report.p.no_output")
        files.append(el("div", el("dt", say("report.p.output")), el("dd", text)))
    return section(
        say("report.particulars"), el("dl", *short, cls="columns"), el("dl", *files, cls="files"), cls="particulars"
    )


def _method(say: Wording) -> str:
    steps = say.facts.steps
    return say("report.p.method_text", method=say.method, steps=steps) if steps else say.method


def _settings(say: Wording) -> str:
    spec = say.facts.spec
    projection = say.words.name("projection", spec.projection) if spec.map else say("report.p.no_map")
    changes = ", ".join(f"{name} = {value}" for name, value in spec.settings.items())
    if changes:
        return say("report.p.settings_changed", seed=spec.seed, projection=projection, changes=changes)
    return say("report.p.settings_text", seed=spec.seed, projection=projection)


def _network(say: Wording) -> str | None:
    facts = say.facts
    if not facts.arch:
        return None
    return say("report.p.network_text", arch=facts.arch, normalize=facts.normalize or "–")


def _time(say: Wording) -> str | None:
    words = say.words
    parts = [
        say("report.p.stage", stage=words.name("phase", stage), time=words.duration(seconds))
        for stage, seconds in say.facts.seconds.items()
    ]
    return " · ".join(parts) or None


def _machine(say: Wording) -> str | None:
    machine = say.facts.machine
    if not machine:
        return None
    device = say.facts.device
    name = str(machine.get("cpu") or "CPU") if device in ("cpu", "auto") else device
    if say.facts.precision:
        name = f"{name} ({say.facts.precision})"
    return say(
        "report.p.machine_text",
        device=name, cores=machine.get("cores", "–"), memory=machine.get("memory_gb", "–"),
        platform=str(machine.get("platform", "–")).split("-with-")[0],
    )  # fmt: skip


def _versions(say: Wording) -> str | None:
    facts = say.facts
    versions = [f"{name} {version}" for name, version in facts.versions.items() if name in VERSIONS]
    if facts.commit:
        versions.append(say("report.p.commit", commit=str(facts.commit)[:12]))
    return ", ".join(versions) or None


def _hash(say: Wording, file: Hashed) -> list[str | Markup]:
    if file.sha256 is None:
        return [say("report.p.no_hash", file=file.file)]
    return [f"{file.file} ", el("code", f"SHA-256 {file.sha256}")]
