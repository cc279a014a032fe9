"""One way to write how long, in settings and on the command line."""

from datetime import timedelta
from pathlib import Path

import pytest

from runtime.durations import duration_of, some_time_of
from runtime.settings import MonitorSettings, load_settings
from schemas.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("1.5h", timedelta(minutes=90)),
        (" 3d ", timedelta(days=3)),
        ("1w", timedelta(days=7)),
        ("0s", timedelta()),
        ("PT10M", timedelta(minutes=10)),
        ("P1DT12H", timedelta(hours=36)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("P2W", timedelta(days=14)),
    ],
)
def test_a_duration_is_a_number_and_a_unit_or_iso_8601(text: str, expected: timedelta) -> None:
    assert duration_of(text) == expected


@pytest.mark.parametrize(
    "text", ["", "10", "m", "ten", "10 minutes", "P", "PT", "P1DT", "P1M", "P1Y", "1h30", "nan", "1e9d"]
)
def test_what_is_no_duration_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write 90s, 10m, 6h, 3d, 1w, or ISO 8601 such as PT10M"):
        duration_of(text)


@pytest.mark.parametrize(("text", "said"), [("-PT1H", "negative"), ("-1h", "negative"), ("9999999w", "hundred years")])
def test_time_neither_runs_back_nor_past_every_calendar(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        duration_of(text)


def test_some_time_is_more_than_nothing() -> None:
    with pytest.raises(ValueError, match="'PT0S' is no time at all"):
        some_time_of("PT0S")


def test_settings_take_both_ways_and_show_what_they_read(tmp_path: Path) -> None:
    """Also from the environment; what is shown can be read again."""
    (tmp_path / "x.toml").write_text('[monitor]\nlateness = "10m"\nlabel_horizon = "P3D"\n')
    monitor = load_settings(tmp_path / "x.toml", {"ROADWATCH_MONITOR__SILENCE_AFTER": "2h"}).monitor
    assert (monitor.lateness, monitor.label_horizon, monitor.silence_after) == (
        timedelta(minutes=10),
        timedelta(days=3),
        timedelta(hours=2),
    )
    assert MonitorSettings(**monitor.model_dump(mode="json")) == monitor


@pytest.mark.parametrize(
    "setting",
    ["lateness", "label_patience", "label_horizon", "revise_every", "passage_timeout", "silence_after", "max_skew"],
)
def test_no_setting_takes_a_negative_duration(tmp_path: Path, setting: str) -> None:
    (tmp_path / "x.toml").write_text(f'[monitor]\n{setting} = "-PT1H"\n[models]\npoll = "0s"\n')
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(tmp_path / "x.toml", {})
    poll, refused = refusal.value.faults
    assert poll.startswith("models.poll: more than nothing")
    assert refused.startswith(f"monitor.{setting}: '-PT1H' is negative")
