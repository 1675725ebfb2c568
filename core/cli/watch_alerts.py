"""``watch --alerts`` and ``watch --acknowledge``: the alerts so far, and those that are seen to."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path

from core import paths
from core.cli.options import DONE
from core.cli.terminal import table
from core.errors import BadInput
from core.files import strict_json
from core.runs.record import Run
from core.watch import place
from core.watch.alerts import acknowledge, class_names, kept, sentence
from core.words import Words


def list_alerts(run: Run, arguments: argparse.Namespace) -> int:
    """Prints the alerts so far, of all inboxes or of the one that is named."""
    words, rows, found = Words(arguments.language), [], []
    folders = _asked(run, arguments.inbox)
    for folder in folders:
        about = place.about(folder)
        for one in kept(folder / place.ALERTS).values():
            text = sentence(one.alert, words, class_names(run.spec.images, words, about.get("classes") or ()))
            found.append({**asdict(one.alert), "sentence": text, "inbox": about.get("inbox"),
                          "acknowledged": one.acknowledged, "sent": one.sent,
                          "unsent": "" if one.sent else one.unsent})  # fmt: skip
            state = "acknowledged" if one.acknowledged else "open"
            if one.send:
                state += ", sent" if one.sent else ", perhaps sent" if one.sending else ", to be sent"
                state += f" ({one.unsent})" if one.unsent and not one.sent else ""
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.alert.t))
            rows.append([one.alert.id, when, state, text, *([str(about.get("inbox"))] if len(folders) > 1 else [])])
    if arguments.json:
        print(strict_json({"alerts": found}))
    else:
        head = ["alert", "when", "state", "what", *(["inbox"] if len(folders) > 1 else [])]
        print(table(head, rows) if rows else "No alerts yet.")
    return DONE


def not_sent(folder: Path) -> str:
    """One line that says how many alerts of an inbox could not be sent yet, and why; "" if there is none."""
    left = [one for one in kept(folder / place.ALERTS).values() if one.send and one.sent is None]
    why = "; ".join(dict.fromkeys(one.unsent or "no service has answered yet" for one in left))
    return f"Alerts that could not be sent yet: {len(left):,} ({why}). The next watch tries again." if left else ""


def _asked(run: Run, inbox: Path | None) -> list[Path]:
    """The folders of the inboxes that are spoken of: all that were watched, or the one that is named."""
    folders = place.watched_inboxes(run)
    if inbox is None:
        return folders
    wanted = place.inbox_folder(run, paths.expanded(inbox))
    return [folder for folder in folders if folder == wanted]


def acknowledge_alert(run: Run, arguments: argparse.Namespace) -> int:
    """Marks an alert as seen to.

    Raises:
        BadInput: ``alert_in_several_inboxes`` or ``no_such_alert``.
    """
    name = arguments.acknowledge
    having = [folder for folder in _asked(run, arguments.inbox) if name in kept(folder / place.ALERTS)]
    if len(having) > 1:
        inboxes = ", ".join(str(place.about(folder).get("inbox")) for folder in having)
        raise BadInput(
            "alert_in_several_inboxes",
            f"The run {run.id} has an alert {name} in each of several inboxes ({inboxes}); name one with --inbox DIR.",
            run=run.id, alert=name, inboxes=inboxes,
        )  # fmt: skip
    for folder in having:
        acknowledge(folder / place.ALERTS, name, time.time())
        print(f"Acknowledged {name}.")
        return DONE
    raise BadInput(
        "no_such_alert", f"The run {run.id} has no alert {name}; list them with --alerts.", run=run.id, alert=name
    )
