"""What is asked for and not answered: each example once, the oldest day first; and how the commands tell it."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.archive.archive import Archive
from models.archive.examples import Asked
from models.archive.ledger import Ledger
from models.archive.opening import open_archive
from models.registry.history import Step
from models.registry.opening import open_registry
from roadwatch.cli import app
from roadwatch.labelling.queue import of_days, queue_of
from roadwatch.labelling.requesting import Wanted, failed_slices
from runtime.settings import ArchiveSettings, ModelSettings
from schemas.errors import ConfigurationError
from tests.models.bundles import tiny_bundle, tiny_graph
from tests.support.examples import MORNING, a_request, a_word, an_example
from tests.support.reports import a_report

LATER = MORNING + timedelta(days=2)
WANTED = Wanted("2026-11-23", 60, None, 0, 1000, "ann@host", MORNING)

Run = Callable[..., Any]


def test_what_nobody_has_answered_is_open_the_oldest_day_first() -> None:
    young = a_request("gate:f:p1", request_id="young", day="2026-11-24", asked_at=MORNING)
    old = a_request("gate:e:p2", "gate:e:p1", asked_at=LATER)
    queue = queue_of([young, old], [a_word("gate:e:p1")], {})
    assert [(each.example_id, each.day, each.weight) for each in queue.open] == [
        ("gate:e:p2", "2026-11-23", 5.0),
        ("gate:f:p1", "2026-11-24", 5.0),
    ]
    assert of_days(queue.open, frozenset({"2026-11-24"})) == [queue.open[1]]
    assert queue.by_day()["2026-11-23"] == {"asked": 2, "open": 1, "random": 1}


def test_what_was_asked_for_twice_has_its_part_of_both() -> None:
    first = a_request("gate:e:p1")
    again = a_request(request_id="again", asked_at=LATER, asked=(Asked("gate:e:p1", "uncertain", 1.0),))
    (question,) = queue_of([again, first], (), {}).questions
    assert (question.weight, question.request_id) == (3.0, first.request_id)


def test_an_answer_that_was_taken_back_is_none_and_a_contradicted_one_is() -> None:
    said = [
        a_word("gate:e:p1"),
        a_word("gate:e:p1", None, labelled_at=LATER),
        a_word("gate:e:p2"),
        a_word("gate:e:p2", "car", source="bob"),
    ]
    queue = queue_of([a_request("gate:e:p1", "gate:e:p2")], said, {})
    assert [each.example_id for each in queue.open] == ["gate:e:p1"]
    assert queue_of([a_request("gate:e:p2")], said, {"bob": 2.0}).label_of(queue.questions[1]) == "car"
    assert queue.label_of(queue.questions[1]) is None


def test_a_requests_id_follows_from_what_is_asked_for() -> None:
    """Not from who asks, when, or how many pictures are looked at."""
    other = {"day": "2026-11-24", "budget": 61, "cameras": ("gate",), "seed": 1}
    ids = {Wanted(**{**_fields(), name: value}).request_id for name, value in other.items()}
    assert len(ids | {WANTED.request_id}) == 5
    assert Wanted(**{**_fields(), "by": "bob", "at": LATER, "look_at": 0}).request_id == WANTED.request_id
    assert WANTED.request_id.startswith("2026-11-23-")


def _fields() -> dict[str, Any]:
    return {name: getattr(WANTED, name) for name in WANTED.__slots__}


def test_slices_that_failed_are_those_of_the_newest_report_up_to_the_day() -> None:
    report = a_report()
    worse = {(each.dimension, each.value) for each in report.slices if each.discovered}
    assert failed_slices({report.day: report}, "2026-12-01") == worse
    assert failed_slices({report.day: report}, "2026-01-01") == frozenset()


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Archive, Ledger]:
    """An archive of this test alone."""
    return open_archive(ArchiveSettings(address=str(tmp_path / "archive")))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `roadwatch label` on it."""
    environment = {
        "ROADWATCH_ARCHIVE__ADDRESS": str(tmp_path / "archive"),
        "ROADWATCH_MODELS__REGISTRY": str(tmp_path / "registry"),
        "COLUMNS": "140",
    }

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["label", *arguments], env=environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    return call


def test_an_empty_queue_says_what_to_do(run: Run) -> None:
    assert "'roadwatch label request DAY' does" in run("queue")
    assert json.loads(run("queue", "--json"))["open"] == []


def test_the_queue_is_listed(run: Run, kept: tuple[Archive, Ledger]) -> None:
    kept[1].ask(a_request(*(f"gate:e:p{n}" for n in range(15))))
    kept[1].add([a_word("gate:e:p0")])
    told = json.loads(run("queue", "--json"))
    assert [each["example_id"] for each in told["open"]] == [f"gate:e:p{n}" for n in range(1, 15)]
    assert told["days"] == {"2026-11-23": {"asked": 15, "open": 14, "random": 14}}
    shown = run("queue")
    assert "14 random" in shown
    assert "and 4 more" in shown


def test_an_export_does_not_replace_a_file_that_may_be_filled_in(
    run: Run, kept: tuple[Archive, Ledger], tmp_path: Path
) -> None:
    example = an_example()
    kept[0].keep([example])
    kept[1].ask(a_request(example.example_id))
    file = tmp_path / "labels.csv"
    assert "1 examples, 2 pictures" in " ".join(run("export", str(file)).split())
    with pytest.raises(ConfigurationError, match="is there already, perhaps filled in"):
        run("export", str(file))
    assert json.loads(run("export", str(file), "--force", "--json"))["examples"] == 1


def test_an_export_does_not_replace_an_interface_that_was_changed(
    run: Run, kept: tuple[Archive, Ledger], tmp_path: Path
) -> None:
    """It lies beside the tasks, and people write in it."""
    kept[0].keep([an_example()])
    kept[1].ask(a_request(an_example().example_id))
    interface = tmp_path / "tasks.xml"
    interface.write_text("ours")
    with pytest.raises(ConfigurationError, match=r"tasks\.xml is there already"):
        run("export", str(tmp_path / "tasks.json"), "--format", "label-studio")
    assert interface.read_text() == "ours"
    run("export", str(tmp_path / "tasks.json"), "--format", "label-studio", "--force")
    assert interface.read_text().startswith("<View>")


def test_labels_are_of_the_classes_that_the_champion_knows(
    run: Run, kept: tuple[Archive, Ledger], tmp_path: Path
) -> None:
    """The interface offers them, and an import takes them."""
    kept[0].keep([an_example()])
    kept[1].ask(a_request(an_example().example_id))
    registry = open_registry(ModelSettings(registry=str(tmp_path / "registry")))
    registry.register(tiny_bundle(tiny_graph(3), labels=("bus", "car", "truck")), at=LATER, by="ann")
    registry.record(Step("promoted", "tiny-1", LATER, "ann", "better", "champion"))
    run("export", str(tmp_path / "tasks.json"), "--format", "label-studio")
    assert '<Choice value="bus"/>' in (tmp_path / "tasks.xml").read_text()
    (tmp_path / "labels.csv").write_text(f"passage_id,label\n{an_example().example_id},bus\n")
    assert "1 right lines, 0 wrong" in run("import", str(tmp_path / "labels.csv"), "--dry-run")


def test_days_to_export_are_named_as_in_reports(run: Run, kept: tuple[Archive, Ledger], tmp_path: Path) -> None:
    kept[0].keep([an_example()])
    kept[1].ask(a_request(an_example().example_id))
    assert json.loads(run("export", str(tmp_path / "a.json"), "--day", "2026-11-23", "--json"))["examples"] == 1
    with pytest.raises(ConfigurationError, match="nothing is open"):
        run("export", str(tmp_path / "b.json"), "--day", "2026-11-24")
    with pytest.raises(ConfigurationError, match="is more than a day"):
        run("export", str(tmp_path / "b.json"), "--day", "2026-W47")


def test_a_file_is_only_checked_where_that_is_wanted(run: Run, kept: tuple[Archive, Ledger], tmp_path: Path) -> None:
    """No Kafka is asked, and nothing is recorded."""
    (tmp_path / "labels.csv").write_text("passage_id,label\ngate:e:p1,car\n")
    assert "nothing was sent (dry run)" in run("import", str(tmp_path / "labels.csv"), "--dry-run")
    assert kept[1].labels() == ()
