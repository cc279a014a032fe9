"""The page of failures: it needs nothing else, hides nothing, and escapes what comes from outside."""

import json
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.failures.groups import Advice, Analysis, Trait
from roadwatch.failing.page import DOCUMENT, OTHERS, failures_page, loss_bar, principal, projection, write_page
from roadwatch.failing.request import FailuresRequest
from schemas.errors import ConfigurationError
from tests.support.examples import DAY
from tests.support.failing import a_failing, a_group, judged, name_of, nothing_failed

HOSTILE = "<script>alert('x')</script>"
FETCHED = re.compile(r"""@import|url\(|(?:src|href|action|data)="(?!data:image/jpeg;base64,|#)""")
"What a page would fetch."


def test_a_page_needs_nothing_else() -> None:
    page = failures_page(a_failing())
    assert "http" not in page
    assert "<script" not in page
    assert not FETCHED.findall(page)


def test_a_page_tells_what_failed_what_it_costs_and_what_would_help() -> None:
    page = failures_page(a_failing())
    for told in (
        "Wrong on 4 of 20 labelled vehicles: 80.0\u00a0% accuracy.",
        "costs 15.0 points",
        "3 failures, 75\u00a0% of the loss",
        "60\u00a0% fail",
        "truck → car 3",
        "light <b>night</b>",
        "Label vehicles like these and retrain.",
        "what speaks for car",
    ):
        assert told in page, told


def test_each_shown_failure_has_its_picture_and_its_map() -> None:
    """Those of which no picture is kept are shown nevertheless, and named."""
    page = failures_page(a_failing())
    assert page.count("data:image/jpeg") == 2 * 3
    assert page.count("no picture is kept</div>") == 1
    assert f"Of 1 failure no picture is kept any more ({name_of(2)})" in page


def test_times_are_those_of_the_days_zone() -> None:
    """Eight in the morning, UTC."""
    assert "gate, 09:00:00" in failures_page(a_failing())


def test_what_is_not_shown_is_named() -> None:
    page = failures_page(a_failing(asked=FailuresRequest(DAY, shown=1)))
    assert "2 more" in page
    assert f"<li>{name_of(2)}</li>" in page


def test_what_comes_from_outside_is_escaped() -> None:
    group = a_group(
        0,
        name=HOSTILE,
        traits=(Trait(HOSTILE, HOSTILE, 1, 0),),
        advice=(Advice("camera", HOSTILE),),
        confusions={(HOSTILE, HOSTILE): 1},
    )
    wrong = judged(0, HOSTILE)
    found = replace(wrong, example=replace(wrong.example, camera_id=HOSTILE, predicted=HOSTILE))
    page = failures_page(
        a_failing(
            asked=FailuresRequest(DAY, (HOSTILE,), about=HOSTILE),
            analysis=Analysis(20, 1, 0.8, (group,), ()),
            judged={name_of(0): found},
            left_out={HOSTILE: (HOSTILE,)},
        )
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 8


def test_a_day_without_failures_has_a_page_too() -> None:
    page = failures_page(nothing_failed())
    assert "Right on all of 20 labelled vehicles: nothing failed." in page
    assert "Single failures" not in page


def test_the_bar_is_the_whole_loss() -> None:
    """Single failures are its last part."""
    parts = loss_bar(a_failing())
    assert [(part.start, part.width) for part in parts] == [(0, 75), (75, 25)]
    assert parts[-1].colour == OTHERS
    assert loss_bar(nothing_failed()) == ()


def test_failures_lie_over_right_ones_on_the_map() -> None:
    plot = projection(a_failing())
    assert plot is not None
    assert [dot.colour for dot in plot.dots][-4:] == ["one", "one", "one", OTHERS]
    assert {dot.colour for dot in plot.dots[:-4]} == {"right"}
    assert all(
        plot.box.left <= dot.x <= plot.box.right and plot.box.top <= dot.y <= plot.box.bottom for dot in plot.dots
    )


def test_there_is_no_map_of_what_was_not_seen() -> None:
    unseen = {f"{number}": replace(judged(number), embedding=np.empty(0, np.float32)) for number in range(20)}
    assert projection(a_failing(judged=unseen)) is None
    assert projection(nothing_failed()) is None


def test_principal_directions_keep_their_sense() -> None:
    """Whatever sign the decomposition gives: the farthest lies at the positive end."""
    line = [np.array([x, x / 2, 0.0], np.float32) for x in (0, 1, 2, 9)]
    first = principal(line)
    turned = principal([-row for row in line])
    assert np.allclose(first, turned)
    assert first[:, 0].argmax() == 3
    assert principal([np.array([x], np.float32) for x in (1, 2, 5)]).shape == (3, 2)


def test_page_and_document_are_written(tmp_path: Path) -> None:
    page = write_page(a_failing(), tmp_path / "new" / DAY)
    assert page.read_text(encoding="utf-8") == failures_page(a_failing())
    told = json.loads((page.parent / DOCUMENT).read_text(encoding="utf-8"))
    assert (told["failed"], told["groups"][0]["size"], told["single"]) == (4, 3, [name_of(3)])
    assert told["groups"][0]["confusions"] == [{"truth": "truck", "predicted": "car", "n": 3}]


def test_a_disk_that_is_full_leaves_the_page_that_was_there(tmp_path: Path) -> None:
    """Nor does anything half written stay."""
    page = write_page(a_failing(), tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with files_of_at_most(page.stat().st_size // 2), pytest.raises(ConfigurationError, match="cannot be written"):
        write_page(a_failing(), tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Files grow no further than so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="below cannot be written: Not a directory"):
        write_page(a_failing(), tmp_path / "file" / "below")
