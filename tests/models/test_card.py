"""A card tells the same as JSON and as a page."""

import pytest

from models.card import parse_card
from schemas.errors import ModelError
from tests.models.bundles import tiny_card


def test_json_gives_the_card_back() -> None:
    """Nothing is lost on the way."""
    assert parse_card(tiny_card().to_json()) == tiny_card()


@pytest.mark.parametrize(
    "line",
    [
        "| bridge | 2 | 0.500 | 0.095 to 0.905 | 1.000 of 1 | 0.000 of 1 | 0.350 |",
        "| truck | 1 | 0 |",
        "- nothing: nobody (CC0-1.0)",
        "- Knows brightness alone.",
        "- SHA-256 of train.zip: `ab`",
    ],
)
def test_the_page_shows(line: str) -> None:
    """Figures, confusion, credits, limits and lineage each have their line."""
    assert line in tiny_card().to_markdown().splitlines()


def test_what_is_no_card_is_refused() -> None:
    """The first fault is named."""
    with pytest.raises(ModelError, match=r"card\.json: version: Field required"):
        parse_card(b"{}")
