"""Latency, scalability and errors are told from raw measurements."""

import numpy as np
import pytest

from models.qualification.cases import ErrorCase, error_cases
from models.qualification.errors import measure_errors
from models.qualification.figures import Measured, figure
from models.qualification.latency import measure_latency
from models.qualification.scalability import ScaleRun, measure_scalability
from processors.pictures import decode
from schemas.errors import PictureError


def values(measured: Measured) -> dict[str, float | None]:
    """Return all figures."""
    return {each.name: each.value for each in measured.figures}


def test_quantiles_of_latency() -> None:
    """Of 1 to 1000 ms; the intervals hold the quantiles."""
    found = measure_latency(np.arange(1, 1001).tolist(), offered_per_second=50, reached_per_second=49)
    assert values(found) == pytest.approx(
        {
            "p50_ms": 500.5,
            "p95_ms": 950.05,
            "p99_ms": 990.01,
            "max_ms": 1000,
            "offered_per_second": 50,
            "reached_per_second": 49,
            "reached_share": 0.98,
        }
    )
    assert all(each.low <= each.value <= each.high for each in found.figures[:3])
    assert sum(y for _, y in found.curves[0].points) == pytest.approx(1)


def test_quantile_intervals_hold_the_truth() -> None:
    """Of 200 draws of 400 latencies, the interval of the median misses the true one about ten times."""
    rng = np.random.default_rng(5)
    found = (figure(measure_latency(rng.exponential(1, 400), 1, 1), "p50_ms") for _ in range(200))
    assert 180 <= sum(each.low <= np.log(2) <= each.high for each in found) <= 198


def test_no_latency_is_a_fault() -> None:
    assert len(measure_latency([], 50, 0).faults) == 1


def test_speedup_is_over_the_fewest_workers() -> None:
    runs = [ScaleRun(4, 4, 300, 800), ScaleRun(1, 1, 100, 240), ScaleRun(2, 2, 180, 440)]
    found = values(measure_scalability(runs))
    assert [found[f"speedup.{workers}"] for workers in (2, 4)] == [1.8, 3.0]
    assert found["memory_mb_a_worker.4"] == 200
    assert "speedup.1" not in found


def test_no_run_is_a_fault() -> None:
    assert len(measure_scalability([]).faults) == 1


CASES = error_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_ends_as_the_processors_promise(case: ErrorCase) -> None:
    """The table of cases says what `processors.pictures` does with each."""
    try:
        decode(case.jpeg)
        outcome = "predicted"
    except PictureError:
        outcome = "dead_letter"
    assert outcome in case.wanted


def test_cases_fit_into_a_frame() -> None:
    """Each has a name of its own, and a size that the topic of frames takes."""
    assert len({case.name for case in CASES}) == len(CASES)
    assert max(len(case.jpeg) for case in CASES) < 1_500_000


def test_each_crash_and_each_loss_is_a_fault() -> None:
    """A case that nobody heard of again is lost."""
    outcomes = {case.name: case.wanted[0] for case in CASES} | {"empty": "crashed", "PNG": "predicted"}
    del outcomes["zeros"]
    found = measure_errors(CASES, outcomes)
    assert [fault.what.rpartition(": ")[2] for fault in found.faults] == ["empty", "zeros"]
    assert values(found)["crashed"] == values(found)["lost"] == 1
    assert values(found)["as_wanted"] == 1 - 3 / len(CASES)
