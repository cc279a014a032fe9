"""What people copy from tables and look for in them is whole, however narrow the terminal is."""

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from roadwatch import context
from roadwatch.commands.alerts import alert_table
from roadwatch.commands.topics import line_of, topic_table
from roadwatch.context import print_whole
from roadwatch.demo.view import day_table
from roadwatch.reporting.ranges import day_line
from roadwatch.reporting.terminal import days_table
from runtime.admin import TopicAdmin
from runtime.settings import Settings
from tests.support.alerts import alert
from tests.support.reports import CAMERAS, a_bad_day, days_before

IDS = (
    "incident:school:1772511508425000",
    "incident:a-camera-with-a-name-of-its-own.on-the-north-bridge:1772511508425000",
)
WORDS = "fog, and the accuracy of what is seen through it falls"


def _alerts() -> Table:
    return alert_table([alert(alert_id=name, cause="fog", title=WORDS) for name in IDS])


def _topics() -> Table:
    settings = Settings()
    return topic_table(settings, [line_of(wanted, None) for wanted in TopicAdmin(settings.kafka).wanted()])


def _days() -> Table:
    return days_table([day_line(report) for report in days_before()])


def _demo() -> Table:
    return day_table([a_bad_day()])


TABLES = [
    (_alerts, IDS),
    (_topics, tuple(wanted.name for wanted in TopicAdmin(Settings().kafka).wanted())),
    (_days, tuple(report.day for report in days_before())),
    (_demo, (a_bad_day().day, *CAMERAS)),
]


def _lines(monkeypatch: pytest.MonkeyPatch, view: Table, *, width: int, terminal: bool) -> list[str]:
    file = StringIO()
    there = Console(file=file, width=width, force_terminal=terminal, color_system=None, emoji=False)
    monkeypatch.setattr(context, "console", there)
    print_whole(view)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize(("table", "names"), TABLES)
def test_names_are_whole_on_a_narrow_terminal(
    table: Callable[[], Table], names: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = _lines(monkeypatch, table(), width=width, terminal=True)
    assert [name for name in names if not any(name in line for line in lines)] == []


@pytest.mark.parametrize("width", [80, 60])
def test_other_columns_fold_before_lines_get_too_long(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for view in (alert_table([alert(alert_id=IDS[0], title=WORDS)]), _topics(), _days()):
        assert max(map(len, _lines(monkeypatch, view, width=width, terminal=True))) <= width


def test_where_there_is_no_terminal_nothing_is_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _lines(monkeypatch, _alerts(), width=40, terminal=False) == []
    told = capsys.readouterr().out.splitlines()
    assert [name in line and WORDS in line for name, line in zip(IDS, told[1:], strict=True)] == [True, True]
