"""What is wrong with values that somebody wrote, in words: where, what is asked for, and the value seen unless it is secret."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]
"""Where a value stands: `("mail", "subscriptions", 0, "to")`."""

WORDS: Final[Mapping[str, str]] = {
    "missing": "has to be given",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} at most",
    "literal_error": "one of {expected}",
    "string_type": "text, in quotes",
    "string_too_short": "text of {min_length} characters or more",
    "string_too_long": "text of {max_length} characters at most",
    "path_type": "a path, in quotes",
    "time_parsing": "a time of day such as '07:00'",
    "time_type": "a time of day such as '07:00'",
    "datetime_type": "a time with its zone, such as '2026-03-02T06:00:00Z'",
    "datetime_parsing": "a time with its zone, such as '2026-03-02T06:00:00Z'",
    "datetime_from_date_parsing": "a time with its zone, such as '2026-03-02T06:00:00Z'",
    "timezone_aware": "has no zone; such as '2026-03-02T06:00:00Z'",
    "tuple_type": "a list, [ … ]; in the environment, as JSON",
    "list_type": "a list, [ … ]; in the environment, as JSON",
    "dict_type": "a table, {{ … }}; in the environment, as JSON",
    "model_type": "a table, {{ … }}; in the environment, as JSON",
}
"By pydantic's type of fault; what is not here is said in pydantic's words."


def faults_of(error: ValidationError, model: type[BaseModel] | None = None) -> list[str]:
    """Each fault that pydantic found, in a line; with the model, names that it does not have are told the nearest."""
    return [fault_of(detail, model) for detail in error.errors(include_url=False)]


def fault_of(detail: ErrorDetails, model: type[BaseModel] | None = None) -> str:
    """One fault."""
    place, value = detail["loc"], detail.get("input")
    name = ".".join(map(str, place)) or "settings"
    message = _message(detail, model)
    hidden = detail["type"] == "missing" or _is_secret(name, value) or repr(value) in message
    return f"{name}: {message}{'' if hidden else f' (seen: {value!r})'}"


def words_of(detail: ErrorDetails) -> str:
    """What is asked for in the place of a faulty value."""
    if template := WORDS.get(detail["type"]):
        return template.format(**detail.get("ctx", {}))
    message = detail["msg"].removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}" if message.startswith("Input ") else message


def nearest(name: str, known: Collection[str], told: Collection[str] | None = None) -> str:
    """Which name may have been meant: those that look like it, else all, or those to be told then; empty without any."""
    close = get_close_matches(name, known, n=3, cutoff=0.6) or [each for each in known if name in each]
    if close:
        return f"the nearest: {', '.join(close)}"
    return f"there are {', '.join(told or known)}" if known else ""


def without(given: Mapping[str, Any], places: Iterable[Place]) -> dict[str, Any]:
    """What is given but for what stands at these places: settings of a section, or items of their lists."""
    left = deepcopy(dict(given))
    for *above, last in sorted({_whole(place) for place in places}, reverse=True):
        _remove(left, above, last)
    return left


def _whole(place: Place) -> Place:
    """What of a setting can be left out: an item of its list, else all of it."""
    item = next((number for number, part in enumerate(place) if isinstance(part, int)), 1)
    return place[: item + 1]


def _remove(left: Any, above: Iterable[int | str], last: int | str) -> None:
    for part in above:
        left = left[part]
    del left[last]


def _message(detail: ErrorDetails, model: type[BaseModel] | None) -> str:
    if detail["type"] != "extra_forbidden":
        return words_of(detail)
    *above, name = detail["loc"]
    known = _meant(model, above, str(name)) if model else ""
    return f"not known here{f'; {known}' if known else ''}"


def _meant(model: type[BaseModel], above: Collection[int | str], name: str) -> str:
    """What a name that is not known may mean: one of another section, else one of its own."""
    sections = [
        (section, found) for section, field in model.model_fields.items() for found in _models(field.annotation)
    ]
    homes = [section for section, found in sections if name in found.model_fields]
    return f"it is of {' and '.join(f'[{home}]' for home in homes)}" if homes else nearest(name, _names(model, above))


def _names(model: type[BaseModel], place: Collection[int | str]) -> list[str]:
    """The names that are known at a place."""
    for part in place:
        if isinstance(part, str):
            model = next(_models(model.model_fields[part].annotation))
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation tells of: `tuple[Channel, ...]` of one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _is_secret(name: str, value: object) -> bool:
    """Passwords, channels' URLs wherever somebody put them, addresses with a login, and tables, which may hold any."""
    mark = "://" if name.startswith("mail.") else "@"
    return "password" in name or "channel" in name or isinstance(value, dict) or mark in str(value)
