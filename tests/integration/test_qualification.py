"""Candidates qualified on a real Kafka with real pictures: the good one is approved, each bad one refused for its fault."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.bundle import BUNDLED, Bundle, load_bundle, save_bundle
from models.qualification.figures import PARTS, Part, figure, of_part
from models.qualification.robustness import stratified
from models.qualification.thresholds import DEFAULTS
from models.registry.store import Registry
from models.training.data import LabelledPicture, read_pictures
from roadwatch.qualification.bench import Sizes
from roadwatch.qualification.outcome import DOCUMENT, PAGE, newest_report
from roadwatch.qualification.session import Outcome, Request, carry_out
from roadwatch.qualification.stack import LEFT_BEHIND_S, PREFIX, Stack
from runtime.admin import TopicAdmin
from runtime.settings import KafkaSettings
from schemas.errors import BrokerUnavailableError, ConfigurationError, ModelError
from tests.support.bad_models import failing_on_white, slowed, with_shuffled_labels, with_swapped_colours
from tests.support.brokers import TestBroker
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

SMALL = Sizes(repeated=60, changed=60, load=30, load_s=4, corrupted=10, workers=(1, 2), drain_s=1)
"As little as shows what a test is about."


@pytest.fixture(scope="session")
def bundled() -> Bundle:
    """The bundle that ships."""
    return load_bundle(BUNDLED)


@pytest.fixture(scope="session")
def held_out(shared_data: Path) -> list[LabelledPicture]:
    """Enough of the road test split for the table's smallest n."""
    return stratified(list(read_pictures(shared_data / "road-vehicles" / "test.zip")), 240)


@dataclass(frozen=True, slots=True)
class Trying:
    """A place to qualify in."""

    folder: Path
    "For bundles, registry and outcomes."
    kafka: KafkaSettings
    "The test's broker."
    pictures: Sequence[LabelledPicture]
    "Held out."
    before: Set[str]
    "Topics of qualifications that were there before: of those that other tests kill."

    def topics(self) -> Set[str]:
        """Topics of qualifications that are there."""
        return {name for name in TopicAdmin(self.kafka).existing() if name.startswith(PREFIX)}

    def left(self) -> Set[str]:
        """Those of them that were not there before."""
        return self.topics() - self.before

    def is_clean(self) -> bool:
        """Whether none is left; a broker acknowledges a deletion before all of it tells of none."""
        return eventually(lambda: not self.left(), 10)

    @property
    def registry(self) -> Registry:
        """One for each test."""
        return Registry(str(self.folder / "registry"))

    def qualify(
        self, bundle: Bundle, parts: Sequence[Part] = PARTS, sizes: Sizes = SMALL, **changes: object
    ) -> Outcome:
        """Qualify a bundle from a folder, compared with nothing."""
        folder = self.folder / bundle.version
        if not folder.exists():
            save_bundle(bundle, folder)
        request = Request(
            candidate=str(folder),
            against="none",
            data="test.zip",
            pictures=lambda: self.pictures,
            thresholds=None,
            parts=parts,
            sizes=sizes,
            kafka=self.kafka,
            out=None,
            outputs=self.folder / "out",
        )
        return carry_out(replace(request, **changes), self.registry, _silent, _silent)  # type: ignore[arg-type]


def _silent(*_: object) -> None:
    """Show no progress."""


@pytest.fixture
def trying(broker: TestBroker, tmp_path: Path, held_out: list[LabelledPicture]) -> Trying:
    """A place with the road test split."""
    place = Trying(tmp_path, KafkaSettings(bootstrap_servers=broker.bootstrap_servers), held_out, set())
    return replace(place, before=place.topics())


def _without_clocks(folder: Path) -> Path:
    """The table that ships, without what depends on how busy the machine is."""
    timed = re.compile(r"^\[(latency|scalability)\].*?(?=^\[|\Z)", re.DOTALL | re.MULTILINE)
    table = folder / "thresholds.toml"
    table.write_text(timed.sub("", DEFAULTS.read_text("utf-8")), "utf-8")
    return table


def _now() -> datetime:
    return datetime.now(UTC)


def refused(outcome: Outcome) -> set[Part]:
    """The parts that were refused, of those that were asked for."""
    return {part.part for part in outcome.parts if not part.approved}


def test_the_good_model_is_approved_and_recorded(trying: Trying, bundled: Bundle) -> None:
    """All six parts, on a registered version: files written, history and attachments in the registry, nothing left."""
    trying.registry.register(bundled, at=_now(), by="test")
    table = _without_clocks(trying.folder)
    outcome = trying.qualify(bundled, candidate=bundled.version, thresholds=table)
    assert refused(outcome) == set()
    known = trying.registry.state().versions[bundled.version]
    assert known.approved
    assert known.qualified == outcome.entry
    judgement, measurements = newest_report(trying.registry, bundled.version)
    assert (judgement, measurements) == (outcome.judgement, outcome.measurements)
    assert {path.name for path in outcome.folder.iterdir()} == {PAGE, DOCUMENT}
    assert trying.is_clean()


def test_a_model_of_shuffled_labels_is_refused_for_its_accuracy(
    trying: Trying, bundled: Bundle, shared_data: Path
) -> None:
    train = stratified(list(read_pictures(shared_data / "road-vehicles" / "train.zip")), 300)
    outcome = trying.qualify(with_shuffled_labels(bundled, train), ("accuracy", "errors"))
    assert refused(outcome) == {"accuracy"}


def test_a_slow_model_is_refused_for_its_latency(trying: Trying, bundled: Bundle) -> None:
    outcome = trying.qualify(slowed(bundled), ("errors", "latency"), replace(SMALL, load=60, load_s=2))
    assert refused(outcome) == {"latency"}


def test_a_model_that_ignores_colour_order_is_refused_for_its_consistency(trying: Trying, bundled: Bundle) -> None:
    outcome = trying.qualify(
        with_swapped_colours(bundled), ("accuracy", "errors", "consistency"), replace(SMALL, changed=240)
    )
    assert refused(outcome) == {"consistency"}
    (part,) = (part for part in outcome.parts if part.part == "consistency")
    assert any("colour" in fault.what for fault in part.faults)


def test_a_picture_that_ends_the_processor_is_named(trying: Trying, bundled: Bundle) -> None:
    """The other hard pictures are tried all the same, each with a processor that lives."""
    outcome = trying.qualify(failing_on_white(bundled), ("errors",))
    (measured,) = outcome.measurements.candidate
    assert [fault.what for fault in measured.faults] == ["the processor ended over a picture: all white"]
    assert {trial.case for trial in measured.trials if trial.outcome not in trial.wanted} == {"all white"}


def test_a_model_that_does_not_load_is_refused_and_recorded(trying: Trying, bundled: Bundle) -> None:
    broken = replace(bundled, model=b"no graph")
    trying.registry.register(broken, at=_now(), by="test")
    outcome = trying.qualify(broken, candidate=broken.version)
    assert "it does not load" in outcome.measurements.candidate[0].faults[0].what
    assert not trying.registry.state().versions[broken.version].approved


def test_a_damaged_bundle_is_said_so_and_not_judged(trying: Trying, bundled: Bundle) -> None:
    trying.registry.register(bundled, at=_now(), by="test")
    for file in (trying.folder / "registry").rglob("model.onnx"):
        file.write_bytes(b"changed")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        trying.qualify(bundled, candidate=bundled.version)
    assert trying.registry.state().versions[bundled.version].qualified is None


def test_a_champion_is_measured_beside_the_candidate(trying: Trying, bundled: Bundle) -> None:
    outcome = trying.qualify(with_swapped_colours(bundled), ("accuracy", "robustness"), against=str(BUNDLED))
    assert [measured.part for measured in outcome.measurements.champion] == ["accuracy", "robustness"]
    robustness = of_part(outcome.measurements.candidate, "robustness")
    assert robustness is not None
    assert (relative := figure(robustness, "mean_corruption")) is not None
    assert relative.value is not None


def test_too_few_pictures_approve_nothing(trying: Trying, bundled: Bundle) -> None:
    outcome = trying.qualify(bundled, ("accuracy",), pictures=lambda: trying.pictures[:20])
    assert refused(outcome) == {"accuracy"}


def test_no_pictures_are_said_so(trying: Trying, bundled: Bundle) -> None:
    with pytest.raises(ConfigurationError, match="no held-out pictures"):
        trying.qualify(bundled, pictures=list)


def test_pictures_of_unknown_classes_are_said_so(trying: Trying, bundled: Bundle) -> None:
    with pytest.raises(ConfigurationError, match="'tram'"):
        trying.qualify(bundled, pictures=lambda: [replace(trying.pictures[0], label="tram")])


def test_an_absent_broker_is_said_so(trying: Trying, bundled: Bundle) -> None:
    with pytest.raises(BrokerUnavailableError):
        trying.qualify(bundled, kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"))


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command of ours that does not outlive its test."""
    with subprocess.Popen(
        [sys.executable, "-m", "roadwatch", *command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_what_a_killed_qualification_left_is_deleted_a_day_later(trying: Trying) -> None:
    """By the next one; topics of one that may be running still are left alone."""
    now = int(time.time())
    old, young = (f"{PREFIX}{begun}-0123abcd" for begun in (now - int(LEFT_BEHIND_S) - 60, now - 60))
    for prefix in (old, young):
        TopicAdmin(trying.kafka.model_copy(update={"topic_prefix": prefix})).create()
    with Stack(trying.folder, trying.kafka) as stack, stack.line(BUNDLED):
        assert eventually(lambda: not any(name.startswith(old) for name in trying.topics()), 10)
    assert eventually(lambda: all(name.startswith(young) for name in trying.left()), 10)
    assert trying.left()
    TopicAdmin(trying.kafka).delete(trying.left())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_qualification_leaves_nothing_behind(
    trying: Trying, bundled: Bundle, shared_data: Path, number: signal.Signals
) -> None:
    """Topics deleted, processors ended, the scratch folder gone, no history."""
    registry, scratch = trying.folder / "registry", trying.folder / "scratch"
    scratch.mkdir()
    trying.registry.register(bundled, at=_now(), by="test")
    pictures, broker = shared_data / "road-vehicles" / "test.zip", trying.kafka.bootstrap_servers
    command = ["models", "qualify", bundled.version, "--data", str(pictures), "--broker", broker]
    with running(command, {"TMPDIR": str(scratch), "ROADWATCH_MODELS__REGISTRY": str(registry)}) as process:
        assert eventually(lambda: any(scratch.rglob("worker-1.beat")), 60)
        process.send_signal(number)
        assert process.wait(30) == 130
    assert not list(scratch.glob("roadwatch-*"))
    assert trying.is_clean()
    assert len(trying.registry.history()) == 1
