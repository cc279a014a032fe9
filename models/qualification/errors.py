"""Whether pictures that are hard to take are each handled, and none ends the processor. Pure.

`models.qualification.cases` makes the pictures; who runs the application sends them and tells what became of each.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from models.evaluation import wilson_interval
from models.qualification.cases import ErrorCase
from models.qualification.figures import Fault, Figure, Measured, Outcome, Trial


def measure_errors(cases: Sequence[ErrorCase], outcomes: Mapping[str, Outcome]) -> Measured:
    """Return the errors part; a case whose name is not in `outcomes` is taken as lost.

    Figures: `as_wanted` and `handled` (shares, with n), `crashed` and `lost` (counts). A case that crashed or was
    lost is a fault each; one that ended otherwise than wanted lowers `as_wanted` alone.
    """
    if not cases:
        return Measured("errors", (), faults=(Fault("no hard picture was tried"),))
    trials = tuple(Trial(case.name, case.wanted, outcomes.get(case.name, "lost")) for case in cases)
    counts = Counter(trial.outcome for trial in trials)
    figures = (
        _share("as_wanted", [trial.outcome in trial.wanted for trial in trials]),
        _share("handled", [trial.outcome in {"predicted", "dead_letter"} for trial in trials]),
        *(Figure(name, counts[name], n=len(trials)) for name in ("predicted", "dead_letter", "crashed", "lost")),
    )
    faults = tuple(Fault(_sentence(trial)) for trial in trials if trial.outcome in {"crashed", "lost"})
    return Measured("errors", figures, faults, trials=trials)


def _share(name: str, right: Sequence[bool]) -> Figure:
    low, high = wilson_interval(sum(right), len(right))
    return Figure(name, sum(right) / len(right), low, high, len(right))


def _sentence(trial: Trial) -> str:
    if trial.outcome == "crashed":
        return f"the processor ended over a picture: {trial.case}"
    return f"a picture came back neither as a prediction nor as a dead letter: {trial.case}"
