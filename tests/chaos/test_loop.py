"""All of it killed once at each step, and started again: the loop goes on where it was.

a day filmed ─► asked ─► answered ─► revised ─► analysed ─► retrained ─► the next day in shadow ─► promoted ─► served
     ✝            ✝         ✝✝          ✝          ✝          ✝✝✝              ✝                    ✝
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from models.bundle import BUNDLED, read_manifest
from models.registry.opening import open_registry
from roadwatch.ledger import read_ledger
from schemas.records import CLASSIFIED, DayReport, Label, Passage, Prediction
from schemas.topics import LABELS, PASSAGES, PREDICTIONS, REPORTS, SHADOW_PREDICTIONS, Topic
from tests.support.loops import VIEWS, LoopDay, TeamLoop, team_loop
from tests.support.monitors import sent

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(900)]

FAILED, SHADOWED, SERVED = DAYS = (LoopDay(0, 20, 10.0), LoopDay(1, 20, 10.0), LoopDay(2, 6, 6.0))
"A day on which the model fails, one with the challenger in shadow, and one that the new champion serves."
ASKED = ("models.archive.ledger.Ledger.ask",)
"Pictures are in the archive, and the ledger knows of nothing."
IMPORTED = ("roadwatch.labelling.importing._sent", "roadwatch.labelling.importing.done_of")
"Words are in the ledger, none is sent; all are sent, and nobody says that those were all."
ANALYSED = ("roadwatch.failing.page.write_page",)
RETRAINED = (
    "roadwatch.retraining.session._register",
    "roadwatch.qualification.parts.try_errors",
    "roadwatch.retraining.session.started",
)
"Trained, and not registered; in the middle of its qualification; qualified, and not in shadow."
COMPARED = ("roadwatch.comparing.in_words",)
PROMOTED = ("roadwatch.announcing.announce",)
"In the history, and nobody was told."
THRESHOLDS = "[accuracy]\naccuracy = { min = 0.5 }\n"
"What is faulty is refused; how fast it is on a busy machine is not asked here."


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamLoop]:
    """A system that has gone through the loop once."""
    with team_loop(tmp_path_factory.mktemp("loop"), FAILED) as loop:
        film_and_label(loop, FAILED, kills=(("processor", 60), ("mailer", 120), ("monitor", 180)))
        loop.despite(ANALYSED, "failures", FAILED.name, "--shown", "2")
        retrain(loop)
        film_and_label(loop, SHADOWED, kills=(("processor", 60), ("shadow", 120), ("monitor", 180)))
        promote(loop)
        loop.film(SERVED)
        yield loop


def film_and_label(loop: TeamLoop, day: LoopDay, kills: tuple[tuple[str, int], ...]) -> None:
    """The monitor dies a second time, when it has read the labels and revises nothing yet."""
    oracle = loop.film(day, kills)
    loop.despite(ASKED, "label", "request", day.name, "--budget", "100")
    file = loop.write_answers(day.name, oracle)
    for function in IMPORTED:
        loop.killed_at(function, "label", "import", file.name)
    loop.until(loop.labels_are_read, "read the labels")
    loop.kill("monitor")
    loop.told("label", "import", file.name)
    loop.counted(day.name)


def retrain(loop: TeamLoop) -> None:
    (loop.folder / "thresholds.toml").write_text(THRESHOLDS, encoding="utf-8")
    servers = loop.settings.kafka.bootstrap_servers
    asked = (
        "models",
        "retrain",
        "--quick",
        "--shadow-share",
        "1",
        "--thresholds",
        "thresholds.toml",
        "--broker",
        servers,
    )
    told = loop.despite(RETRAINED, *asked)
    assert (told["trained"], told["registered"], told["approved"], told["shadow"]) == (False, True, True, 1.0)


def promote(loop: TeamLoop) -> None:
    standing = loop.despite(COMPARED, "models", "compare")
    assert standing["counts"]["challenger"] > standing["counts"]["champion"]
    loop.despite(PROMOTED, "models", "promote", standing["challenger"], "--reason", standing["sentence"])


def on(loop: TeamLoop, topic: Topic) -> list[Prediction]:
    return [record for record in sent(loop.settings, topic) if isinstance(record, Prediction)]


def test_each_frame_is_predicted_once(loop: TeamLoop) -> None:
    """By its place, and by its id."""
    ledger = read_ledger(loop.settings.kafka)
    assert ledger.balanced
    assert (ledger.predicted, ledger.waiting) == (ledger.frames, 0)
    assert set(Counter(prediction.frame_id for prediction in on(loop, PREDICTIONS)).values()) == {1}


def test_the_challenger_sees_each_vehicle_of_its_day_once(loop: TeamLoop) -> None:
    """From the frame on at which it began, and without a gap."""
    shown = [[name for name in frames(loop, PREDICTIONS) if name[0] == camera] for camera, *_ in VIEWS]
    seen = [[name for name in frames(loop, SHADOW_PREDICTIONS) if name[0] == camera] for camera, *_ in VIEWS]
    assert all(seen)
    assert seen == [expected[-len(found) :] for expected, found in zip(shown, seen, strict=True)]


def frames(loop: TeamLoop, topic: Topic) -> list[tuple[str, int]]:
    """Camera and sequence of vehicles' frames of the challenger's day, in order."""
    found = [each for each in on(loop, topic) if day_of(each) == SHADOWED.name and each.kind in CLASSIFIED]
    return sorted((each.camera_id, each.sequence) for each in found)


def test_what_was_asked_is_asked_once_and_no_answer_is_lost(loop: TeamLoop) -> None:
    """Neither in the ledger, nor on the topic; what is there twice is the same to the byte."""
    answers = loop.answers[FAILED.name] | loop.answers[SHADOWED.name]
    assert [request.day for request in loop.ledger.requests()] == [FAILED.name, SHADOWED.name]
    assert {word.example_id: word.label for word in loop.ledger.labels()} == answers
    assert len(loop.ledger.labels()) == len(answers)
    labels = {each for each in sent(loop.settings, LABELS) if isinstance(each, Label) and each.passage_id}
    assert sorted(label.passage_id or "" for label in labels) == sorted(answers)


@pytest.mark.parametrize("day", [FAILED, SHADOWED], ids=["failed", "shadowed"])
def test_a_report_counts_each_label_once(loop: TeamLoop, day: LoopDay) -> None:
    """Its accuracy is what follows from the answers and the passages."""
    report = loop.run.state.reports[day.name]
    verdicts = {each.passage_id: each.label for each in sent(loop.settings, PASSAGES) if isinstance(each, Passage)}
    words = loop.words(day.name)
    right = sum(word.weight for word in words if verdicts[word.example_id] == word.label)
    assert report.scores.labelled == len(words) == len(loop.answers[day.name])
    assert report.scores.accuracy == pytest.approx(right / sum(word.weight for word in words))


def test_each_revision_is_reported_once(loop: TeamLoop) -> None:
    reports = Counter((each.day, each.revision) for each in sent(loop.settings, REPORTS) if isinstance(each, DayReport))
    assert set(reports.values()) == {1}
    assert {day for day, _ in reports} == {day.name for day in DAYS}


def test_one_version_goes_its_way_and_nothing_is_done_twice(loop: TeamLoop) -> None:
    steps = [entry.step for entry in open_registry(loop.settings.models).history()]
    assert [(step.action, step.alias) for step in steps] == [
        ("registered", None),
        ("qualified", None),
        ("promoted", "challenger"),
        ("promoted", "champion"),
    ]
    assert len({step.version for step in steps}) == 1


def test_the_next_day_is_served_by_the_new_champion_alone(loop: TeamLoop) -> None:
    (version,) = open_registry(loop.settings.models).state().versions
    versions = {(day_of(each), each.model_version) for each in on(loop, PREDICTIONS)}
    shipped = read_manifest(BUNDLED).version
    assert versions == {(FAILED.name, shipped), (SHADOWED.name, shipped), (SERVED.name, version)}
    assert loop.run.state.reports[SERVED.name].model_versions == (version,)


def day_of(prediction: Prediction) -> str:
    return f"{prediction.captured_at:%Y-%m-%d}"
