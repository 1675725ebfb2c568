"""The parts of the page, each a pure function of the run's record and its wording."""

from __future__ import annotations

import numpy as np

from core.compute.intervals import Interval
from core.events import Frame, Measured
from core.report import charts, pictures
from core.report.advice import ASR_LIMIT
from core.report.answer import answer
from core.report.facts import asr, asr_interval, ba_interval
from core.report.markup import Markup, el, join
from core.report.wording import Item, Wording
from core.runs.record import Run

LONG_EVIDENCE = {
    "en": 500,
    "ja": 250,
}  # characters of evidence from which on the type is smaller, to fit one sheet
ANSWERED = ("purified", "figures", "doubt", "ungraded", "signs", "open")  # reasons that the answer itself gives


def section(title: str, *children: Markup | None, cls: str | None = None) -> Markup:
    return el("section", el("h2", title), *children, cls=cls)


def first(say: Wording) -> Markup:
    """Whether it may be used, what was found, done and left, and how sure that is: before any evidence."""
    short_answer = answer(say)
    more = say.reasons(besides=ANSWERED)
    parts = [el("div", el("dt", name), el("dd", sentence)) for name, sentence in short_answer.parts]
    return el(
        "section",
        el("p", say("report.choice.title"), cls="small"),
        el("h1", short_answer.use),
        el("dl", *parts),
        el("p", say.words.joined(more), cls="small") if more else None,
        cls=f"answer {short_answer.tone}",
    )


def finding(say: Wording) -> Markup | None:
    """What the scan saw with what it rests on."""
    evidence = say.evidence()
    long = " long" if sum(map(len, evidence)) > LONG_EVIDENCE[say.words.language] else ""
    return section(say.verdict(), el("p", say.words.joined(evidence)) if evidence else None, cls=f"verdict{long}")


def figures(say: Wording) -> Markup:
    """Attack success and accuracy with their intervals, before and after; one column where there is no after."""
    facts, words = say.facts, say.words
    before, after = facts.before, facts.after
    title = say("report.figures" if after else "report.measured")
    if before is None:
        return section(title, el("p", say("report.figures.waiting")))
    measured = [before, after] if after else [before]
    rows = [
        _measured_row(say, say(f"outcome.asr_{before.asr_kind}"), "asr", _shares(measured, "asr"), charts.ATTACK),
        _measured_row(say, say("outcome.ba"), "ba", _shares(measured, "ba"), charts.CLEAN),
    ]
    if after and facts.first and facts.last and facts.last.index != facts.first.index:
        name = el("th", say("report.dissolved"), el("small", say("report.dissolved.text")), scope="row")
        rows.append(el("tr", name, *(el("td", words.percent(f.dissolution, 0)) for f in (facts.first, facts.last))))
    heads = [el("th", say(f"outcome.{name}"), scope="col") for name in ("before", "after")] if after else []
    counts = {"clean": words.count(before.clean_images), "triggered": words.count(before.triggered_images)}
    return section(
        title,
        el("table", el("thead", el("tr", el("th"), *heads)), el("tbody", *rows), cls="figures"),
        el("p", say("report.figures.note", **counts), cls="small"),
    )


def _shares(measured: list[Measured], what: str) -> list[tuple[float | None, Interval | None]]:
    """A figure and its interval, each time it was measured."""
    if what == "asr":
        return [(asr(found), asr_interval(found)) for found in measured]
    return [(found.ba, ba_interval(found)) for found in measured]


def _measured_row(
    say: Wording, name: str, what: str, shares: list[tuple[float | None, Interval | None]], colour: str
) -> Markup:
    words = say.words
    cells = [
        el(
            "td",
            el("b", words.percent(value), cls=_tone(what, value)),
            el("small", f"({_ends(say, found)})") if found else None,
        )
        for value, found in shares
    ]
    picture = None
    (before, low_high), (after, low_high_after) = (*shares, (None, None))[:2]
    if before is not None:
        label = f"{name}: {' → '.join(words.percent(value) for value, _ in shares)}"
        picture = charts.change(before, after, (low_high, low_high_after), colour, label)
    return el("tr", el("th", name, el("small", say(f"term.{what}.text")), picture, scope="row"), *cells)


def _tone(what: str, value: float | None) -> str:
    """Only an attack that succeeds wears the attack's colour."""
    return "asr" if what == "asr" and value is not None and value >= ASR_LIMIT else "ba"


def _ends(say: Wording, found: Interval) -> str:
    """An interval in words, with enough digits to distinguish its ends."""
    digits = 1 if f"{found.low:.1f}" != f"{found.high:.1f}" else 2
    low, high = (say.words.percent(end, digits) for end in found)
    return say("report.interval", low=low, high=high)


def trigger(run: Run, say: Wording) -> Markup:
    """The reconstructed trigger; on a real image where the record has one."""
    title, found = say("report.trigger"), run.triggers()
    if found is None or not len(found.forms):
        return section(title, el("p", say("report.trigger.none")))
    name = "report.trigger.alone" if found.has_place else "report.trigger.faint"
    shown = [(pictures.trigger_alone(found), say(name))]
    examples = run.examples()
    if examples is not None and len(examples.clean) and examples.clean.shape[1:3] == found.patterns.shape[2:]:
        image = examples.clean[0]
        shown += [
            (pictures.data_uri(image), say("report.trigger.image")),
            (pictures.trigger_on(found, image), say("report.trigger.on")),
        ]
    tiles = [el("figure", el("img", src=uri, alt=text), el("figcaption", text)) for uri, text in shown]
    return section(title, el("div", *tiles, cls=f"tiles n{len(tiles)}"))


def sizes(say: Wording) -> Markup | None:
    """How small a change is enough, class by class: the scan's evidence."""
    scanned = say.facts.scanned
    if scanned is None or not scanned.mask_sizes or scanned.target >= len(scanned.mask_sizes):
        return None
    size = scanned.mask_sizes[scanned.target]
    shown = f"{size:.1f}" if size is not None else "–"
    label = say.words("report.sizes.label", target=say.class_name(scanned.target), size=shown)
    return section(
        say("report.sizes"),
        charts.bars(scanned.mask_sizes, scanned.target, label),
        el("p", el("b", label, cls="asr")),
        el("p", say("report.sizes.note"), cls="small"),
    )


def maps(run: Run, say: Wording) -> Markup:
    """The feature map before and after, drawn to the same scale."""
    title, samples = say("report.map"), run.samples
    first, last = say.facts.first, say.facts.last
    if first is None or last is None or samples is None:
        return section(title, el("p", say("report.map.none")), cls="feature-map")
    frames = [(event, run.frame(event.index)) for event in ([first] if first.index == last.index else [first, last])]
    frames = [(event, frame) for event, frame in frames if len(frame.coords) == len(samples.triggered)]
    if not frames:
        return section(title, el("p", say("report.map.none")), cls="feature-map")
    turn = charts.facing(frames[0][1].coords)
    turned = [frame.coords @ turn for _, frame in frames]
    box = charts.bounds(*turned)
    drawn = []
    for place, ((event, frame), coords) in enumerate(zip(frames, turned, strict=True)):
        caption = _caption(say, place, event, frame.answers[samples.triggered])
        misled = frame.answers == (-1 if say.facts.target is None else say.facts.target)
        picture = charts.feature_map(coords, samples.triggered, misled, box, caption)
        drawn.append(el("figure", picture, el("figcaption", caption)))
    legend = el(
        "p",
        join(*(el("span", charts.mark(kind), say(f"report.map.{kind}")) for kind in ("clean", "misled", "freed"))),
        cls="legend",
    )
    notes = [say("report.map.note", projection=say.words.name("projection", say.facts.spec.projection))]
    if frames[0][1].coords.shape[1] > 2:
        notes.append(say("report.map.flat"))
    return section(
        title, legend, el("div", *drawn, cls="maps"), el("p", " ".join(notes), cls="small"), cls="feature-map"
    )


def _caption(say: Wording, place: int, event: Frame, answers: np.ndarray) -> str:
    """How many of the triggered images on this map are answered as the attacker wants."""
    facts = say.facts
    fooled = 0 if facts.target is None else int((answers == facts.target).sum())
    counts = {"fooled": fooled, "total": len(answers)}
    if place == 0:
        return say("report.map.before", things=say.things, **counts)
    if not facts.purified:
        return say("report.map.now", step=event.step, **counts)
    return say("report.map.refused" if facts.held is False else "report.map.after", **counts)


def decide(say: Wording) -> Markup:
    rows = [_decision(item, say("report.decide.here")) for item in say.decide()]
    return section(say("report.decide"), el("dl", *rows, cls="decide"))


def _decision(item: Item, here: str) -> Markup:
    return el(
        "div",
        el("dt", item.name),
        el("dd", item.text, " ", el("span", el("b", here), _gap(here), item.here)),
        cls="applies" if item.applies else None,
    )


def _gap(name: str) -> str:
    """After a name and its colon: a full-width one brings its own space."""
    return "" if name.endswith("：") else " "


def ask(say: Wording) -> Markup:
    return section(say("report.ask"), el("ul", *(el("li", said) for said in say.questions()), cls="boxes"))


def steps(say: Wording) -> Markup:
    items = [el("li", el("b", item.name), _gap(item.name), item.text) for item in say.steps()]
    return section(say("report.steps"), el("ol", *items))


def phrases(say: Wording) -> Markup:
    return section(say("report.say"), el("ul", *(el("li", said) for said in say.phrases()), cls="said"))


def limits(say: Wording) -> Markup:
    return section(say("report.limits"), el("p", say.words.joined(say.limits())))
