"""The history of the registry: its entries, the state that they make together, and what may come next. Pure.

    registered ─► qualified ─► promoted to challenger ─► promoted to champion ─┐
                    │ refused                  │ withdrawn          ▲          │ rolled_back
                    └─ back to training        └─ keeps the champion└──────────┘ to the one before

Nothing is ever changed or removed: the state at any past time is the fold of the entries until then.

An alias is a stack of those who had it: a promotion puts one on top, a rollback takes the top away, so that rolling
back twice goes further back and never forth; past the first champion lies the model that ships. Whoever becomes champion is challenger no more; a challenger that is
withdrawn or becomes champion ends its race, and the stack of challengers with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from itertools import takewhile
from typing import Annotated, Literal, assert_never

from pydantic import AwareDatetime, Field

from models.bundle import Version
from schemas.errors import ModelRegistryError

Action = Literal["registered", "qualified", "promoted", "rolled_back", "withdrawn"]
Alias = Literal["champion", "challenger"]

ALIASES: tuple[Alias, ...] = ("champion", "challenger")

# What people wrote is shown on other people's terminals: no control characters but tabs and line ends.
Who = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Why = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Share = Annotated[float, Field(gt=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Figures = Annotated[Mapping[Annotated[str, Field(max_length=100)], float], Field(max_length=300)]


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody did to a version, before it has a place in the history."""

    action: Action
    "What was done."
    version: Version
    "The version that it was done to; of a rollback, the one that the alias came back to."
    at: AwareDatetime
    "When, UTC."
    by: Who
    "Who: `user@host`, or a service."
    reason: Why = ""
    "Why; empty where it speaks for itself. A promotion without qualification must have one."
    alias: Alias | None = None
    "The alias that moved; None: none did."
    share: Share | None = None
    "Of a challenger: the share of live traffic that it classifies in shadow, above 0 up to 1."
    approved: bool | None = None
    "Of a qualification: whether it was approved."
    figures: Figures | None = None
    "Figures that the step stands on, by name, such as `accuracy`."
    manifest_sha256: Sha256 | None = None
    "Of a registration: the checksum of `bundle.json`, which holds those of the other files."


@dataclass(frozen=True, slots=True)
class Entry:
    """A step in its place."""

    number: int
    "1, 2, 3 …, without gaps."
    previous: str
    "SHA-256 of the entry before, in hex; empty for the first: a changed past shows."
    step: Step
    "What was done."


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has an alias."""

    version: str
    "The version."
    since: datetime
    "When the alias came to it."
    share: float
    "Of live traffic; 1 for the champion."


@dataclass(frozen=True, slots=True)
class VersionState:
    """What became of a version."""

    registered: Entry
    "Its registration."
    qualified: Entry | None
    "Its newest qualification, approved or refused; None: it has had none."
    aliases: tuple[Alias, ...]
    "Those that it holds."

    @property
    def approved(self) -> bool:
        """Whether its newest qualification approved it."""
        return self.qualified is not None and bool(self.qualified.step.approved)


@dataclass(frozen=True, slots=True)
class State:
    """The registry at some time."""

    versions: Mapping[str, VersionState]
    "By version, in the order of registration."
    holders: Mapping[Alias, Holder]
    "By alias; an alias that nobody holds is missing."
    before: Mapping[Alias, tuple[Holder, ...]] = field(default_factory=dict)
    "By alias: whom rollbacks would give it back to, the nearest last."


NOTHING = State({}, {})
"The registry before its first entry."


def fold(entries: Iterable[Entry]) -> State:
    """Return the state that entries, in order, make together."""
    return reduce(follow, entries, NOTHING)


def until(entries: Iterable[Entry], at: datetime) -> list[Entry]:
    """Return the entries up to a time: those before the first that is later, for the order is the history's."""
    return list(takewhile(lambda entry: entry.step.at <= at, entries))


def follow(state: State, entry: Entry) -> State:
    """Return the state after one more entry. Entries are taken at their word: `check` has seen them before."""
    step = entry.step
    match step.action:
        case "registered":
            return _with_version(state, step.version, VersionState(entry, None, ()))
        case "qualified":
            known = state.versions.get(step.version)
            return _with_version(state, step.version, replace(known, qualified=entry)) if known else state
        case "promoted":
            return _held(state, step.alias or "champion", _promoted(state, step))
        case "rolled_back":
            return _held(state, step.alias or "champion", _rolled_back(state, step))
        case "withdrawn":
            return _held(state, step.alias or "challenger", ())
    assert_never(step.action)


def check(state: State, step: Step) -> None:
    """Raise ModelRegistryError where the state does not allow a step, saying what would be."""
    if step.action == "registered":
        return _check_registered(state, step)
    if step.version not in state.versions:
        raise ModelRegistryError(f"{step.version} is not registered; {_registered(state)}")
    return CHECKS[step.action](state, step)


def rollback_step(state: State, alias: Alias, *, at: datetime, by: str, reason: str = "") -> Step:
    """Return the step that gives an alias back to who had it before.

    Before the first champion the model that ships served: he is withdrawn, and it serves again. Raises
    ModelRegistryError where nobody holds the alias, and for the first challenger.
    """
    before = state.before.get(alias, ())
    if alias not in state.holders:
        raise ModelRegistryError(f"nobody is {alias}: there is nothing to roll back")
    if not before and alias == "champion":
        return Step("withdrawn", state.holders[alias].version, at, by, reason, alias)
    if not before:
        raise ModelRegistryError(
            f"{state.holders[alias].version} is the first {alias}: nobody had it before to go back to; withdraw it"
        )
    share = before[-1].share if alias == "challenger" else None
    return Step("rolled_back", before[-1].version, at, by, reason, alias, share)


def promotion(entries: Sequence[Entry], step: Step) -> Entry | None:
    """Return the promotion that gave a version what a step would give it; None where it does not have it now."""
    alias = step.alias or "champion"
    holder = fold(entries).holders.get(alias)
    if holder is None or holder != replace(_holder(step), since=holder.since):
        return None
    given = ("promoted", step.version, alias, holder.since)
    return next((e for e in entries if (e.step.action, e.step.version, e.step.alias, e.step.at) == given), None)


def overriding(entries: Iterable[Entry]) -> frozenset[int]:
    """Return the numbers of promotions whose version was not approved at that time."""
    state, found = NOTHING, set()
    for entry in entries:
        if entry.step.action == "promoted" and not _approved(state, entry.step.version):
            found.add(entry.number)
        state = follow(state, entry)
    return frozenset(found)


def resolve(state: State, name: str) -> str:
    """Return the version that a name means: a whole version, an alias, or the beginning of one version alone.

    Raises ModelRegistryError where it means none or several.
    """
    if name in state.versions:
        return name
    for alias in ALIASES:
        if name == alias:
            return _holder_of(state, alias)
    matches = [version for version in state.versions if name and version.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ModelRegistryError(f"{name!r} may be {', '.join(matches[:5])}; write more of it")
    raise ModelRegistryError(f"no version {name!r} is registered; {_registered(state)}")


def _with_version(state: State, version: str, known: VersionState) -> State:
    return replace(state, versions={**state.versions, version: known})


def _stack(state: State, alias: Alias) -> tuple[Holder, ...]:
    """Return those who had an alias, its holder on top, which is last."""
    holder = state.holders.get(alias)
    return (*state.before.get(alias, ()), holder) if holder else ()


def _promoted(state: State, step: Step) -> tuple[Holder, ...]:
    """Put a version on top; the holder itself, at another share, takes its own place."""
    alias = step.alias or "champion"
    stack = _stack(state, alias)
    kept = stack[:-1] if stack and stack[-1].version == step.version else stack
    return (*kept, _holder(step))


def _rolled_back(state: State, step: Step) -> tuple[Holder, ...]:
    """Take the top away."""
    return (*_stack(state, step.alias or "champion")[:-2], _holder(step))


def _holder(step: Step) -> Holder:
    share = step.share if step.alias == "challenger" and step.share is not None else 1.0
    return Holder(step.version, step.at, share)


def _held(state: State, alias: Alias, stack: tuple[Holder, ...]) -> State:
    """Return the state with an alias's stack; a champion is challenger no more."""
    stacks: dict[Alias, tuple[Holder, ...]] = {name: _stack(state, name) for name in ALIASES}
    stacks[alias] = stack
    if _top(stacks["champion"]) and _top(stacks["champion"]) == _top(stacks["challenger"]):
        stacks["challenger"] = ()
    holders = {name: held[-1] for name, held in stacks.items() if held}
    versions = {version: _with_aliases(version, known, holders) for version, known in state.versions.items()}
    return State(versions, holders, {name: held[:-1] for name, held in stacks.items() if held})


def _top(stack: Sequence[Holder]) -> str | None:
    return stack[-1].version if stack else None


def _with_aliases(version: str, known: VersionState, holders: Mapping[Alias, Holder]) -> VersionState:
    aliases = tuple(alias for alias, holder in holders.items() if holder.version == version)
    return known if aliases == known.aliases else replace(known, aliases=aliases)


def _check_registered(state: State, step: Step) -> None:
    if step.version in state.versions:
        entry = state.versions[step.version].registered
        raise ModelRegistryError(
            f"{step.version} is registered already, by {entry.step.by} on {entry.step.at:%Y-%m-%d}: a version never changes"
        )
    if step.manifest_sha256 is None:
        raise ModelRegistryError(f"{step.version}: a registration needs its manifest's checksum")


def _check_qualified(_state: State, step: Step) -> None:
    if step.approved is None:
        raise ModelRegistryError(f"{step.version}: a qualification says whether it was approved")


def _check_promoted(state: State, step: Step) -> None:
    if step.alias is None:
        raise ModelRegistryError(f"{step.version}: a promotion names an alias: champion or challenger")
    _check_share(step)
    _check_move(state, step)
    if not state.versions[step.version].approved and not step.reason.strip():
        raise ModelRegistryError(
            f"{step.version} is not approved ({_qualification(state, step.version)}): run"
            f" 'roadwatch models qualify {step.version}', or give a reason, which stays in the history"
        )


def _check_share(step: Step) -> None:
    if step.share is None:
        return
    if step.alias == "champion" and step.share != 1:
        raise ModelRegistryError(f"{step.version}: a share of {step.share} is a challenger's; the champion has all")
    if not 0 < step.share <= 1:
        raise ModelRegistryError(f"{step.version}: a share of {step.share} is not above 0 and up to 1")


def _check_move(state: State, step: Step) -> None:
    """Whoever has the alias need not be promoted to it, but for another share; the champion challenges nobody."""
    held = {name: holder for name, holder in state.holders.items() if holder.version == step.version}
    if step.alias == "challenger" and "champion" in held:
        raise ModelRegistryError(f"{step.version} is champion: it cannot challenge itself")
    holder = held.get(step.alias or "champion")
    if holder is not None and holder.share == _holder(step).share:
        share = f" at a share of {holder.share:g}" if step.alias == "challenger" else ""
        raise ModelRegistryError(f"{step.version} is {step.alias}{share} already, since {holder.since:%Y-%m-%d %H:%M}")


def _check_rolled_back(state: State, step: Step) -> None:
    wanted = rollback_step(state, step.alias or "champion", at=step.at, by=step.by)
    if wanted.action != step.action:
        raise ModelRegistryError(
            f"nobody was champion before {wanted.version}: it is withdrawn, and nothing comes back"
        )
    if step.version != wanted.version:
        raise ModelRegistryError(f"a rollback gives {step.alias} back to {wanted.version}, not to {step.version}")


def _check_withdrawn(state: State, step: Step) -> None:
    alias = step.alias or "challenger"
    holder = state.holders.get(alias)
    if holder is None or holder.version != step.version:
        found = f"{holder.version} is" if holder else "nobody is"
        raise ModelRegistryError(f"{step.version} is not {alias} ({found}): there is nothing to withdraw")
    if state.before.get(alias) and alias == "champion":
        raise ModelRegistryError("a champion is withdrawn only where nobody was before him: roll back")


CHECKS = {
    "qualified": _check_qualified,
    "promoted": _check_promoted,
    "rolled_back": _check_rolled_back,
    "withdrawn": _check_withdrawn,
}
"What each step needs, of a version that is registered."


def _approved(state: State, version: str) -> bool:
    return version in state.versions and state.versions[version].approved


def _qualification(state: State, version: str) -> str:
    qualified = state.versions[version].qualified
    return "never qualified" if qualified is None else f"refused on {qualified.step.at:%Y-%m-%d}"


def _holder_of(state: State, alias: Alias) -> str:
    if alias not in state.holders:
        raise ModelRegistryError(f"nobody is {alias} yet; 'roadwatch models promote VERSION --to {alias}' makes one")
    return state.holders[alias].version


def _registered(state: State) -> str:
    newest = list(state.versions)[-5:]
    return f"the newest are {', '.join(newest)}" if newest else "nothing is: see 'roadwatch models register'"
