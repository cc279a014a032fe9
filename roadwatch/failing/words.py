"""Failures in words and as plain values. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from models.failures.groups import Group, Remedy
from roadwatch.failing.session import Failing
from roadwatch.reporting.figures import counted, percent

FEW: Final = 5
"Names in a sentence; a page and JSON have all."
REMEDIES: Final[Mapping[Remedy, str]] = {
    "labels": "labels",
    "camera": "camera work",
    "augmentation": "augmentation",
    "threshold": "threshold",
}


def headline(failing: Failing) -> str:
    """What failed, in a sentence."""
    labelled = counted(failing.labelled, "labelled vehicle")
    if not failing.failed:
        return f"Right on all of {labelled}: nothing failed"
    return f"Wrong on {failing.failed:,} of {labelled}: {percent(failing.accuracy)} accuracy"


def second_line(failing: Failing) -> str:
    """What its failures have in common, in a sentence; empty where nothing failed."""
    groups = failing.groups
    if not failing.failed:
        return ""
    if not groups:
        return "The failures have nothing in common that chance would not explain."
    held = percent(sum(group.loss for group in groups), 0)
    if len(groups) == 1:
        return f"One group holds {held} of the loss: {groups[0].name}."
    return f"{len(groups)} groups hold {held} of the loss; the dearest costs {cost(groups[0])}: {groups[0].name}."


def cost(group: Group) -> str:
    """`12.3 points`."""
    return f"{group.cost * 100:.1f} points"


def notes(failing: Failing) -> list[str]:
    """What was not looked at, and what is missing, a sentence each."""
    said = []
    if failing.is_weighted:
        said.append("Labels stand for different numbers of vehicles: accuracy, loss and cost count each for as many.")
    if failing.abstained:
        said.append(
            f"On {failing.abstained:,} the model abstained: they count as failed here, and the report leaves them out."
        )
    if failing.undrawn:
        said.append(
            f"Looked at were {len(failing.judged):,}, failures first; the others drawn stand for {failing.undrawn:,} more."
        )
    if failing.unpictured:
        without = counted(len(failing.unpictured), "failure")
        said.append(
            f"Of {without} no picture is kept any more ({few(failing.unpictured)}): grouped by what is known without."
        )
    said += [f"Left out, {reason}: {len(names):,} ({few(names)})." for reason, names in failing.left_out.items()]
    if failing.unreadable:
        said.append(f"{counted(failing.unreadable, 'record')} could not be read.")
    return said


def few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - FEW
    return ", ".join(names[:FEW]) + (f" and {rest:,} more" if rest > 0 else "")


def plain(failing: Failing) -> dict[str, Any]:
    """Return all of it but the pictures as plain JSON values."""
    return {
        "day": failing.asked.day,
        "cameras": failing.asked.cameras,
        "about": failing.asked.about,
        "timezone": failing.timezone,
        "examples": failing.examples,
        "labelled": failing.labelled,
        "failed": failing.failed,
        "abstained": failing.abstained,
        "accuracy": failing.accuracy,
        "looked_at": len(failing.judged),
        "model": failing.model,
        "why": failing.why,
        "groups": [_group(group) for group in failing.groups],
        "single": failing.analysis.single,
        "unpictured": failing.unpictured,
        "left_out": dict(failing.left_out),
        "unreadable": failing.unreadable,
    }


def _group(group: Group) -> dict[str, Any]:
    confusions = [{"truth": truth, "predicted": said, "n": n} for (truth, said), n in group.confusions.items()]
    return {**asdict(group), "size": len(group.members), "confusions": confusions}
