"""A backtest's result in words: which variant is better, by how much, and whether that may be chance. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from roadwatch.backtesting.comparing import Comparison
from roadwatch.backtesting.differing import Pair
from roadwatch.backtesting.outcome import Outcome, Ran
from roadwatch.backtesting.variants import RECORDED
from schemas.records import Scores

SURE: Final = 0.05
"A split of differing vehicles that chance alone would give more rarely than this is taken as real."

MOST_PAIRS: Final = 3
"Pairs of models that each get a sentence; of more, those with the first model do."


def answer(result: Comparison) -> Iterator[str]:
    """The result in sentences, the first one first."""
    outcome, found = result.outcome, result.pairs
    yield _headline(outcome, found)
    yield from _about_models(outcome, found)
    yield from _about_rules(outcome)
    yield from _about_live(result)


def _headline(outcome: Outcome, found: Sequence[Pair]) -> str:
    firsts = outcome.ran[:: len(outcome.rules)]
    if not any(ran.reports for ran in firsts):
        return "No day was reported on: the recording holds no frames of the cameras and the span that were asked for."
    if not any(ran.scores.labelled for ran in firsts):
        return "Nobody can say who is right: no vehicle is labelled."
    if len(firsts) == 1:
        return _alone(firsts[0])
    best, second, *others = sorted(firsts, key=lambda ran: -right(ran.scores))
    most = max(ran.scores.labelled for ran in firsts)
    told = ", ".join([_share(best, most), *(_beside(ran, most) for ran in (second, *others))])
    if _is_clear(firsts, best, second, found):
        return f"{_name(best)} is better: {told.removeprefix(f'{_name(best)} is ')}."
    level = right(best.scores) == right(second.scores)
    return f"{_name(best)} and {_name(second)} are {'level' if level else 'too close to call'}: {told}."


def _alone(ran: Ran) -> str:
    name = "The recorded predictions are" if _name(ran) == RECORDED else f"{_name(ran)} is"
    scores = ran.scores
    return f"{name} right on {percent(scores.accuracy)} of {scores.labelled} labelled vehicles."


def _share(ran: Ran, most: int) -> str:
    n = right(ran.scores)
    return f"{_name(ran)} is right on {n} of {most} labelled vehicles ({percent(n / most)}){_silent(ran, most)}"


def _beside(ran: Ran, most: int) -> str:
    n = right(ran.scores)
    return f"{_name(ran)} on {n} ({percent(n / most)}){_silent(ran, most)}"


def _silent(ran: Ran, most: int) -> str:
    """A model that abstains is right less often, and wrong less often too: its own accuracy says only the second."""
    n = most - ran.scores.labelled
    return f", with no verdict on {n}" if n else ""


def _name(ran: Ran) -> str:
    return ran.variant.model.name


def _is_clear(firsts: Sequence[Ran], best: Ran, second: Ran, found: Sequence[Pair]) -> bool:
    """Whether the split of the vehicles on which the best two differ is more than chance."""
    numbers = {firsts.index(best), firsts.index(second)}
    pair = next((pair for pair in found if {pair.a, pair.b} == numbers), None)
    chance = pair.chance if pair else None
    return chance is not None and chance < SURE


def _about_models(outcome: Outcome, found: Sequence[Pair]) -> Iterator[str]:
    for pair in found if len(found) <= MOST_PAIRS else [pair for pair in found if pair.a == 0]:
        a, b = outcome.models[pair.a].name, outcome.models[pair.b].name
        said = f"{a} and {b} differ on {pair.differ} of {outcome.vehicles.compared} vehicles"
        if not pair.labelled:
            yield f"{said}."
            continue
        yield (
            f"{said}; of the {pair.labelled} that are labelled, {a} alone is right on {pair.a_right}, {b} alone on"
            f" {pair.b_right}{_chance(pair)}."
        )


def _chance(pair: Pair) -> str:
    if pair.chance is None:
        return ""
    if pair.chance < SURE:
        return f": more than chance (p = {pair.chance:.2g})"
    return f": that may be chance (p = {pair.chance:.2g})"


def _about_rules(outcome: Outcome) -> Iterator[str]:
    if len(outcome.rules) < 2:
        return
    for model, ran in zip(outcome.models, _by_model(outcome), strict=True):
        told = ", ".join(f"{_alerts(len(each.alerts))} with {each.variant.rules.name}" for each in ran)
        yield f"{model.name}: {told}."


def _by_model(outcome: Outcome) -> list[list[Ran]]:
    width = len(outcome.rules)
    return [outcome.ran[start : start + width] for start in range(0, len(outcome.ran), width)]


def _alerts(n: int) -> str:
    return "no alert" if n == 0 else f"{n} alert{'s' if n > 1 else ''}"


def _about_live(result: Comparison) -> Iterator[str]:
    if not result.outcome.live.reports:
        yield "The recording holds no reports of the live run to compare with."
        return
    equal: dict[str, list[str]] = {}
    for ran in result.ran:
        same, days = result.equal_days(ran.variant.name)
        if same:
            of = "every day" if same == days else f"{same} of {days} days"
            equal.setdefault(of, []).append(ran.variant.name)
    for of, names in equal.items():
        yield f"Equal to the live report, to the byte, on {of}: {'; '.join(names)}."


def right(scores: Scores) -> int:
    """On how many labelled vehicles the verdict is right."""
    return sum(cell.count for cell in scores.confusion if cell.truth == cell.predicted)


def percent(value: float | None, places: int = 1) -> str:
    """A share for people."""
    return "–" if value is None else f"{value:.{places}%}".replace("%", " %")
