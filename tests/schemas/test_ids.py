"""Ids say which camera, which run of frames, which frame."""

import pytest

from schemas.errors import DecodingError
from schemas.ids import FrameRef, frame_id, parse_id, passage_id


@pytest.mark.parametrize("epoch", ["2026-03-02", "2026-03-02T00:00:00Z"])
def test_ids_are_taken_apart_as_they_were_made(epoch: str) -> None:
    assert parse_id(frame_id("gate", epoch, 12)) == FrameRef("gate", epoch, 12, passage=False)
    assert parse_id(passage_id("gate", epoch, 12)) == FrameRef("gate", epoch, 12, passage=True)


@pytest.mark.parametrize("text", ["", "gate", "gate:12", ":e:1", "gate:e:", "gate:e:x1", "gate:e:-1", "gate:e:²"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(DecodingError):
        parse_id(text)
