"""Whether a retrained head is worth testing: better on vehicles it had not seen, and nothing old forgotten. Pure."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from models.evaluation import wilson_interval
from models.retraining.forgetting import SliceChange
from models.retraining.paired import Difference, difference

HALF: Final = 0.5
"Of what a guess among the classes would get: a parent that is surely right on less was given swapped labels."


@dataclass(frozen=True, slots=True)
class Said:
    """What two models say of vehicles that the second had not seen, an entry for each."""

    truth: tuple[str, ...]
    "True classes."
    before: tuple[str | None, ...]
    "The parent's; None: it gives no label."
    after: tuple[str | None, ...]
    "The candidate's, or those of heads that were made like its own."

    def and_of(self, other: "Said") -> "Said":
        """Return both together."""
        return Said(self.truth + other.truth, self.before + other.before, self.after + other.after)

    def gain(self) -> Difference:
        """Return the candidate's accuracy less the parent's."""
        return difference(_right(self.truth, self.before), _right(self.truth, self.after))


@dataclass(frozen=True, slots=True)
class Findings:
    """What a retraining brought."""

    before: float
    "The parent's accuracy on the new vehicles."
    after: float
    "The candidate's, on the same, each held out."
    gain: Difference
    "Between the two."
    held_out: int
    "Of them, vehicles that were not taught at all; the others were held back in turn."
    log_loss_before: float
    "The parent's, on vehicles that were taught; of a whole network, on those held out."
    log_loss_after: float
    "That of heads that had not seen them; of a whole network, its own."
    log_loss_guessed: float
    "Of always telling how frequent the classes are: labels that no head tells better say nothing of pictures."
    classes: int
    "That the model knows."
    changes: tuple[SliceChange, ...]
    "What became of old slices; empty where there are no old vehicles."
    since_oldest: tuple[SliceChange, ...] = ()
    "Likewise, since the oldest version that it comes from; empty where that is its parent."

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why it is not worth testing; empty where it is."""
        return tuple(_refusals(self))


def findings(
    said: Said,
    held_out: int,
    log_losses: tuple[float, float],
    changes: Sequence[SliceChange],
    classes: int,
    since_oldest: Sequence[SliceChange] = (),
) -> Findings:
    """Return what these say together."""
    right = [_right(said.truth, given) for given in (said.before, said.after)]
    before, after = (sum(values) / len(values) for values in right)
    return Findings(
        before=before,
        after=after,
        gain=said.gain(),
        held_out=held_out,
        log_loss_before=log_losses[0],
        log_loss_after=log_losses[1],
        log_loss_guessed=_entropy(said.truth),
        classes=classes,
        changes=tuple(changes),
        since_oldest=tuple(since_oldest),
    )


def _entropy(truth: Sequence[str]) -> float:
    shares = [count / len(truth) for count in Counter(truth).values()]
    return -sum(share * math.log(share) for share in shares)


def _right(truth: Sequence[str], said: Sequence[str | None]) -> list[bool]:
    return [label == given for label, given in zip(truth, said, strict=True)]


def _refusals(found: Findings) -> Iterator[str]:
    yield from _of_labels(found)
    shares = f"{found.before:.3f} before, {found.after:.3f} after, on {found.gain.n} new vehicles that were held out"
    if found.gain.high < 0:
        yield f"it is worse than its parent: {shares}"
    elif found.log_loss_after >= found.log_loss_before:
        yield (
            f"these labels bring nothing: log loss {found.log_loss_before:.3f} before,"
            f" {found.log_loss_after:.3f} after ({shares})"
        )
    yield from (f"it has forgotten {change}" for change in found.changes if change.forgotten)
    yield from (f"it has forgotten step by step {change}" for change in found.since_oldest if change.forgotten)


def _of_labels(found: Findings) -> Iterator[str]:
    """Say what is wrong with the labels themselves."""
    _, high = wilson_interval(round(found.before * found.gain.n), found.gain.n)
    if high < HALF / found.classes:
        yield (
            f"by these labels its parent is right on {found.before:.1%} of the new vehicles, far less than a guess: look at"
            " some of them, for classes are swapped"
        )
    if found.log_loss_after >= found.log_loss_guessed:
        yield (
            f"these labels cannot be learnt: vehicles held out are told no better (log loss {found.log_loss_after:.3f})"
            f" than by how frequent the classes are ({found.log_loss_guessed:.3f}); look at some of them, for many are wrong"
        )
