"""Days' reports computed anew, from all records at once and by other means than the monitor's: pandas and scikit-learn.

    frames in time ─┬─► vehicles, each with its frames' verdict ─┐
    labels ─► words ┼─► what is true of frames and vehicles ─────┴─► figures by day, named as in `DayReport`
    telemetry ──────┴─► what devices said
    late labels ─► when days were told anew ─► what was known then ─► estimates, slices that fall behind

Nothing in here comes from monitor/. The definitions are those of `schemas.records`; a whole stream lies in memory, where
the monitor takes in one record after the other.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics

from schemas.ids import frame_id, parse_id
from schemas.observations import Observation, rows
from schemas.records import Label, Observations, Record, Telemetry
from schemas.times import EPOCH, MICROSECOND, MILLISECOND, from_us, to_us
from tests.support.batch_revisions import Came, newest, reported_at, told_at
from tests.support.batch_signals import signals
from tests.support.batch_trust import Trust

Log = Sequence[tuple[datetime, Record]]
"Records, each with when it was logged, in that order."
Figures = dict[str, Any]
"Figures by name: a dataclass's fields."
Thing = tuple[str, bool, str, int]
"A frame, or a passage: camera, whether it is a passage, epoch, sequence."

NEVER: Final = 2**62
"Later than everything."
Z: Final = 1.96
"Standard deviations that hold 95 % of a normal distribution."
WRONG, SURE, HELD = 0.4, (0.5, 8.0), 0.95
"Wrong labels that each weight's prior is worth, the bounds of its right ones, and what an interval holds."
PSEUDO: Final = 0.3
"Right and wrong labels, each, that a weight's variance is smoothed with."
PROBABILITY: Final = "probability of "
"Begins the columns of classes."
WORST: Final = {"wrong": 6, "unsure": 3}
"Frames of a camera and day to be looked at."
ONE_DAY: Final = pd.DateOffset(days=1)
"By the calendar: 23 to 25 hours."
MEASURED: Final = tuple(
    each.name for each in fields(Observation) if each.name not in ("captured_at", "crossed_at", "sketch")
)
"What is taken of a frame as it is."
SENSORS: Final = ("magnetometer_ut", "pressure_hpa", "temperature_c")
COUNTERS: Final = ("pictures", "frames", "reconnects")
"What a device measures, and what its process counts."


@dataclass(frozen=True, slots=True)
class Terms:
    """When days and passages are over."""

    timezone: str
    "Of days."
    lateness: timedelta
    "Event time that a day waits for frames after its end."
    patience: timedelta
    "Event time that it waits further for labels, or for the promise that they are complete."
    timeout: timedelta
    "Event time after which a passage without a frame is over."
    max_skew: timedelta
    "How far ahead of the log a picture may be."
    horizon: timedelta
    "By the log's time, how long after a day has closed its labels may still change."
    every: timedelta
    "By the log's time, between the round times at which late labels are counted."
    trust: Mapping[str, float]
    "What a source's word weighs; 1 for those not named."


def recomputed(terms: Terms, log: Log) -> dict[str, Figures]:
    """Each day's report, its fields by name, those of records within it likewise."""
    batch = _Batch(terms, log)
    return {day: _report(batch, day) for day in batch.days}


# Times


def _span_us(span: timedelta) -> int:
    return span // MICROSECOND


def _days_of(us: "pd.Series[Any]", zone: str) -> "pd.Series[Any]":
    """Each time's local day; empty where there is none."""
    local = pd.to_datetime(us, unit="us", utc=True).dt.tz_convert(zone)
    return local.dt.strftime("%Y-%m-%d").fillna("")


def _hours_of(us: "pd.Series[Any]", zone: str) -> "pd.Series[Any]":
    return pd.to_datetime(us, unit="us", utc=True).dt.tz_convert(zone).dt.strftime("%H")


def _start(day: str, zone: str) -> pd.Timestamp:
    return pd.Timestamp(day, tz=zone)


def _end_us(day: str, zone: str) -> int:
    return to_us((_start(day, zone) + ONE_DAY).to_pydatetime())


@dataclass(frozen=True, slots=True)
class _Line:
    """How far a camera's pictures had come as its records were logged."""

    arrived: np.ndarray
    "Places in the stream, rising."
    logged_ms: np.ndarray
    "When each was logged."
    newest_us: np.ndarray
    "The newest picture's time until then; `NEVER` is when the source has ended."
    finish_ms: int
    "After the last record."

    def came_to(self, us: int, *, end_counts: bool = True) -> tuple[int, int]:
        """The first place at which the pictures had come to a time, and when it was logged."""
        newest = self.newest_us if end_counts else np.where(self.newest_us == NEVER, -1, self.newest_us)
        places = np.flatnonzero(newest >= us)
        if not len(places):
            return NEVER, self.finish_ms
        return int(self.arrived[places[0]]), int(self.logged_ms[places[0]])

    def passed(self, us: np.ndarray) -> np.ndarray:
        """The first places at which they had come further than these times."""
        return np.append(self.arrived, NEVER)[np.searchsorted(self.newest_us, us, side="right")]


@dataclass(frozen=True, slots=True)
class _Close:
    """When a camera's day was over."""

    complete: int
    "The place in the stream at which its frames were."
    shut_ms: int
    "From when on labels are late: their promise, or the end of patience."
    closed_ms: int
    "When frames and labels were complete."


class _Batch:
    """All tables of a stream."""

    def __init__(self, terms: Terms, log: Log) -> None:
        self.terms, self.zone = terms, terms.timezone
        seen = _seen(log, terms)
        words, self.batches_ms = _words(log), _batches_ms(log)
        self.lines = {camera: _line(table, words) for camera, table in seen.groupby("camera_id")}
        self.frames = _in_time(seen, terms)
        passages = _passages(self.frames, self.lines, terms)
        self.days = sorted({*self.frames["day"], *passages.loc[passages["crossed_us"].notna(), "day"]})
        cameras = [(camera, self._days_seen(camera, passages)) for camera in sorted(self.lines)]
        self.closes = {(camera, day): self._close(camera, day, words) for camera, days in cameras for day in days}
        self.words = _heard(words, self._seen_on(passages), self._counted_on(passages), self.closes, terms)
        self.vehicles = self._vehicles(passages)
        self.judged = self._judged()
        self.devices = _devices(log, terms)
        self.told = {key: self._told(*key, words) for key in self.closes}
        self.trust = Trust(self.told, reported_at(self.told), self._judged_at, _models(self.frames, self.closes))
        self._known: dict[tuple[str, str, int], pd.DataFrame] = {}

    def _days_seen(self, camera: str, passages: pd.DataFrame) -> list[str]:
        crossed = passages[passages["crossed_us"].notna()]
        parts = [table.loc[table["camera_id"] == camera, "day"] for table in (self.frames, crossed)]
        return sorted(set(pd.concat(parts)))

    def _close(self, camera: str, day: str, words: pd.DataFrame) -> _Close:
        end_us, line = _end_us(day, self.zone), self.lines[camera]
        due_us = end_us + _span_us(self.terms.lateness)
        complete, due_ms = line.came_to(due_us)
        _, cutoff_ms = line.came_to(due_us + _span_us(self.terms.patience), end_counts=False)
        promises = words[(words["camera_id"] == camera) & (words["until_us"] >= end_us)]
        promised_ms = promises["logged_ms"].min() if len(promises) else NEVER
        if promised_ms < cutoff_ms:
            return _Close(complete, int(promised_ms), max(due_ms, int(promised_ms)))
        return _Close(complete, cutoff_ms, cutoff_ms)

    def _seen_on(self, passages: pd.DataFrame) -> dict[Thing, str]:
        """The day on which each thing was seen."""
        frames = zip(*(self.frames[c] for c in ("camera_id", "epoch", "sequence", "day")), strict=True)
        begun = zip(*(passages[c] for c in ("camera_id", "epoch", "passage", "begun_on")), strict=True)
        found = {(camera, False, epoch, int(number)): day for camera, epoch, number, day in frames}
        return found | {(camera, True, epoch, int(number)): day for camera, epoch, number, day in begun}

    def _counted_on(self, passages: pd.DataFrame) -> dict[Thing, str]:
        """The day on which each vehicle is counted that crossed; all other things count when they were seen."""
        crossed = passages[passages["crossed_us"].notna()]
        columns = ("camera_id", "epoch", "passage", "day", "ended")
        return {
            (camera, True, epoch, int(number)): day
            for camera, epoch, number, day, ended in zip(*(crossed[c] for c in columns), strict=True)
            if ended <= self.closes[camera, day].complete
        }

    def truth(self, thing: Thing, day: str, until_ms: int = NEVER) -> tuple[str | None, float]:
        """What a thing truly is, as far as it is known on a day, and how many like it that stands for."""
        decided = self.words.decided(thing, day, until_ms)
        return decided.label, decided.weight

    def _told(self, camera: str, day: str, words: pd.DataFrame) -> list[int]:
        """When a camera's day was told."""
        close, labels_ms = self.closes[camera, day], words.loc[words["camera_id"] == camera, "logged_ms"]
        late, final_ms = (word.logged_ms for word in self.words.about(camera, day)), self.words.final_ms(camera, day)
        late = (ms for ms in late if close.shut_ms <= ms < final_ms)
        came = Came(labels_ms.to_numpy(), self.batches_ms[camera], self.lines[camera].finish_ms + 1)
        return told_at(close.closed_ms, late, final_ms, came, self.terms.every // MILLISECOND)

    def _judged_at(self, day: str, at_ms: int) -> pd.DataFrame:
        """A day's vehicles and single frames with the truth as told by then; of labels that are not fair, without."""
        cameras = sorted(camera for camera, other in self.closes if other == day)
        parts = [self._judged_of(camera, day, newest(self.told[camera, day], at_ms)) for camera in cameras]
        return pd.concat(parts)

    def _judged_of(self, camera: str, day: str, told_ms: int | None) -> pd.DataFrame:
        key = (camera, day, -1 if told_ms is None else told_ms)
        if key not in self._known:
            own = self.judged[(self.judged["camera_id"] == camera) & (self.judged["day"] == day)]
            self._known[key] = _fairly(own.iloc[:0] if told_ms is None else self._with_truth(own, self._before(*key)))
        return self._known[key]

    def _before(self, camera: str, day: str, told_ms: int) -> int:
        """Of late labels, those before then were told; none when the day closed."""
        return told_ms if told_ms > self.told[camera, day][0] else -1

    def _vehicles(self, passages: pd.DataFrame) -> pd.DataFrame:
        """Passages that crossed and have a verdict, before their day was complete."""
        crossed = passages[passages["crossed_us"].notna() & passages["predicted"].notna()]
        in_time = [
            ended <= self.closes[camera, day].complete
            for camera, day, ended in zip(crossed["camera_id"], crossed["day"], crossed["ended"], strict=True)
        ]
        return crossed[in_time]

    def _judged(self) -> pd.DataFrame:
        """Vehicles, and classified frames that belong to none, with their truth and their properties."""
        singles = self.frames[self.frames["passage"].isna() & self.frames["label"].notna()]
        singles = singles.assign(predicted=singles["label"], at_us=singles["captured_us"], zone_id=None, pixels=np.nan)
        vehicles = self.vehicles.assign(at_us=self.vehicles["crossed_us"])
        both = pd.concat([vehicles.assign(vehicle=True), singles.assign(vehicle=False)], ignore_index=True)
        both = self._with_truth(both.astype({"vehicle": bool}))
        return _with_properties(both, self.frames, self.zone)

    def _with_truth(self, judged: pd.DataFrame, until_ms: int = NEVER) -> pd.DataFrame:
        """With what labels say that came in time, or were logged before then."""
        things = zip(*(judged[c] for c in ("camera_id", "vehicle", "epoch", "passage", "sequence", "day")), strict=True)
        truths = [
            self.truth((camera, vehicle, epoch, int(passage if vehicle else sequence)), day, until_ms)
            for camera, vehicle, epoch, passage, sequence, day in things
        ]
        labels = pd.Series([label for label, _ in truths], judged.index, dtype=object)
        told = judged.assign(truth=labels, weight=[weight for _, weight in truths])
        return told.assign(fair=_fair(told))


# Frames


def _seen(log: Log, terms: Terms) -> pd.DataFrame:
    """All frames in the order of the log, but those from the future."""
    found = pd.DataFrame(
        _frame(seen, batch, i, at)
        for at, batch in log
        if isinstance(batch, Observations)
        for i, seen in enumerate(rows(batch))
    )
    found["arrived"] = np.arange(len(found))
    found["day"] = _days_of(found["captured_us"], terms.timezone)
    found = found[found["captured_us"] <= found["logged_ms"] * 1000 + _span_us(terms.max_skew)]
    reached = found["captured_us"].where(found["kind"] != "end", NEVER)
    return found.assign(newest_us=reached.groupby(found["camera_id"]).cummax())


def _batches_ms(log: Log) -> dict[str, np.ndarray]:
    """When each camera's observations were logged."""
    batches = [(batch.camera_id, (at - EPOCH) // MILLISECOND) for at, batch in log if isinstance(batch, Observations)]
    table = pd.DataFrame(batches, columns=["camera_id", "logged_ms"])
    return {str(camera): times.to_numpy() for camera, times in table.groupby("camera_id")["logged_ms"]}


def _frame(seen: Any, batch: Observations, i: int, at: datetime) -> Figures:
    width = len(batch.classes)
    probabilities = batch.probabilities[i * width : (i + 1) * width]
    return {
        **{name: getattr(seen, name) for name in MEASURED},
        **{PROBABILITY + name: p for name, p in zip(batch.classes, probabilities, strict=True)},
        "captured_us": to_us(seen.captured_at),
        "crossed_us": to_us(seen.crossed_at) if seen.crossed_at else np.nan,
        "pixels": seen.width * seen.height,
        "logged_ms": (at - EPOCH) // MILLISECOND,
    }


def _line(table: pd.DataFrame, words: pd.DataFrame) -> _Line:
    labels = words.loc[words["camera_id"] == table["camera_id"].iloc[0], "logged_ms"]
    finish_ms = max([table["logged_ms"].max(), *labels]) + 1
    return _Line(*(table[c].to_numpy() for c in ("arrived", "logged_ms", "newest_us")), finish_ms)


def _in_time(seen: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    """Frames that came before their day was complete, each once; what ends a source is none."""
    before = seen.groupby("camera_id")["newest_us"].shift(fill_value=-1)
    ends = {day: _end_us(day, terms.timezone) + _span_us(terms.lateness) for day in seen["day"].unique()}
    kept = seen[(before < seen["day"].map(ends)) & (seen["kind"] != "end")]
    return kept.drop_duplicates(["camera_id", "epoch", "sequence"]).reset_index(drop=True)


# Vehicles


def _passages(frames: pd.DataFrame, lines: Mapping[str, _Line], terms: Terms) -> pd.DataFrame:
    """Each passage with what its frames say that came before it was over."""
    key, of_any = ["camera_id", "epoch", "passage"], frames[frames["passage"].notna()]
    timeout_us = _span_us(terms.timeout)
    parts = [_until_over(table, lines[str(name[0])], timeout_us) for name, table in of_any.groupby(key)]
    members = pd.concat(parts).sort_values([*key, "sequence"])
    found = members.groupby(key).agg(
        crossed_us=("crossed_us", "first"),
        ended=("ended", "first"),
        first_us=("captured_us", "first"),
        refused=("label", lambda labels: labels.isna().sum()),
        frames=("label", "count"),
    )
    found = found.join(_verdicts(members, key)).join(_shown(members, key)).join(_zones(members, key)).reset_index()
    found["dissenting"] = _dissenting(members, found, key)
    found["day"] = _days_of(found["crossed_us"], terms.timezone)
    return found.assign(begun_on=_days_of(found["first_us"], terms.timezone))


def _until_over(table: pd.DataFrame, line: _Line, timeout_us: int) -> pd.DataFrame:
    """A passage's frames until its camera had gone on for so long without one of them."""
    arrived = table["arrived"].to_numpy()
    over = np.maximum(line.passed(table["captured_us"].cummax().to_numpy() + timeout_us), arrived)
    late = np.flatnonzero(over[:-1] < arrived[1:])
    count = late[0] + 1 if len(late) else len(table)
    return table.iloc[:count].assign(ended=over[count - 1])


def _verdicts(members: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """The class with the largest sum of probability × area, and its share; frames that the model refused have no vote."""
    columns = sorted(name for name in members.columns if name.startswith(PROBABILITY))
    votes = members.loc[members["label"].notna(), [*key, *columns]]
    sums = votes[columns].mul(members["pixels"], axis=0).loc[votes.index].groupby([votes[name] for name in key]).sum()
    said = sums.idxmax(axis=1).str.removeprefix(PROBABILITY)
    shares = (sums.max(axis=1) / sums.sum(axis=1)).map(lambda share: round(share, 5))
    return pd.DataFrame({"predicted": said, "confidence": shares})


def _shown(members: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """The largest picture of each."""
    largest = members.sort_values(["pixels", "sequence"], ascending=[False, True]).groupby(key)
    return largest[["sequence", "pixels", "captured_us"]].first()


def _zones(members: pd.DataFrame, key: list[str]) -> "pd.Series[Any]":
    """Where they crossed."""
    return members[members["crossed_us"].notna()].groupby(key)["zone_id"].first()


def _dissenting(members: pd.DataFrame, found: pd.DataFrame, key: list[str]) -> "pd.Series[Any]":
    joined = members.merge(found[[*key, "predicted"]], on=key)
    other = joined["label"].notna() & (joined["label"] != joined["predicted"])
    counts = other.groupby([joined[name] for name in key]).sum()
    return counts.loc[pd.MultiIndex.from_frame(found[key])].to_numpy()


def _fair(judged: pd.DataFrame) -> "pd.Series[Any]":
    """Whose label is kept with a chance of its weight by the heaviest of its camera and day."""
    weights = judged["weight"].where(judged["truth"].notna())
    heaviest = weights.groupby([judged["camera_id"], judged["day"]]).transform("max")
    names = zip(judged["camera_id"], judged["epoch"], judged["sequence"], strict=True)
    drawn = [hashlib.blake2b(frame_id(c, e, int(s)).encode(), digest_size=4).digest() for c, e, s in names]
    chances = pd.Series([int.from_bytes(each, "big") / 2**32 for each in drawn], index=judged.index)
    return (weights == heaviest) | (chances < weights / heaviest)


def _fairly(judged: pd.DataFrame) -> pd.DataFrame:
    """Without the truth of those whose label is not fair."""
    return judged.assign(truth=judged["truth"].where(judged["fair"], None))


def _models(frames: pd.DataFrame, days: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Bundles that served, by camera and day."""
    known = frames[frames["label"].notna()].groupby(["camera_id", "day"])["model_version"].unique()
    return {key: tuple(sorted(known.get(key, ()))) for key in days}


def _with_properties(judged: pd.DataFrame, frames: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Hour, light, weather, zone and size; light and weather are those of the newest whole picture before."""
    scenes = frames.loc[frames["passage"].isna(), ["camera_id", "captured_us", "brightness", "contrast"]]
    judged = judged.drop(columns=["brightness", "contrast"], errors="ignore")
    judged["from_us"] = judged["first_us"].fillna(judged["captured_us"]).astype("int64")
    scenes = scenes.rename(columns={"captured_us": "from_us"}).sort_values("from_us")
    found = pd.merge_asof(judged.sort_values("from_us"), scenes, on="from_us", by="camera_id")
    return found.assign(
        hour=_hours_of(found["at_us"], zone),
        light=[_light(*scene) for scene in zip(found["brightness"], found["contrast"], strict=True)],
        weather=[_weather(*scene) for scene in zip(found["brightness"], found["contrast"], strict=True)],
        size=pd.cut(found["pixels"], [0, 48**2, 112**2, NEVER], right=False, labels=["small", "medium", "large"]),
        zone=found["camera_id"] + "/" + found["zone_id"],
    )


def _light(brightness: float, _: float) -> str:
    if math.isnan(brightness):
        return "unknown"
    return "dark" if brightness < 60 else "dim" if brightness < 95 else "bright"


def _weather(brightness: float, contrast: float) -> str:
    if math.isnan(brightness) or contrast == 0:
        return "unknown"
    return "night" if brightness < 60 else "veiled" if contrast < 30 else "clear"


# Labels


def _words(log: Log) -> pd.DataFrame:
    """All labels and promises, in the order of the log."""
    found = pd.DataFrame(
        {
            **asdict(label),
            "thing": _thing(label),
            "labelled_us": to_us(label.labelled_at),
            "until_us": to_us(label.complete_until) if label.complete_until else -1,
            "logged_ms": (at - EPOCH) // MILLISECOND,
        }
        for at, label in log
        if isinstance(label, Label)
    )
    return found.astype({"label": object})


def _thing(label: Label) -> Thing | None:
    name = label.passage_id or label.frame_id
    ref = parse_id(name) if name else None
    return (ref.camera_id, ref.passage, ref.epoch, ref.sequence) if ref else None


@dataclass(frozen=True, slots=True)
class _Decision:
    """What the words on a thing say together."""

    label: str | None = None
    "Its class; None where nobody says one any more."
    source: str | None = None
    "Who said so last."
    late: bool = False
    "Whether one of the words came after the day had closed to labels."
    contradicted: bool = False
    "Whether sources differ."
    withdrawn: bool = False
    "Whether a source took its word back."
    weight: float = 1.0
    "The largest of those that say a class."


@dataclass(frozen=True, slots=True)
class _Heard:
    """Words on things that were seen, and how often there were words on others."""

    words: Mapping[Thing, list[Any]]
    "Of each thing."
    seen_on: Mapping[Thing, str]
    "The day on which each thing was seen."
    counted_on: Mapping[Thing, str]
    "The day on which each thing is counted."
    unmatched: Counter[tuple[str, str]]
    "Things that were never seen, by camera and by the day on which they were labelled."
    closes: Mapping[tuple[str, str], _Close]
    "By camera and day."
    terms: Terms
    "What sources weigh, and until when words count."

    def final_ms(self, camera: str, day: str) -> int:
        """From when on labels are too late for a day."""
        return self.closes[camera, day].closed_ms + self.terms.horizon // MILLISECOND

    def about(self, camera: str, day: str) -> Iterator[Any]:
        """Words on things that were seen or are counted on a day."""
        for thing, words in self.words.items():
            if thing[0] == camera and day in (self.seen_on[thing], self.counted_on[thing]):
                yield from words

    def decided(self, thing: Thing, day: str, until_ms: int = NEVER) -> _Decision:
        """What the newest words of all sources say, as far as they count on a day: in time, or logged before then."""
        close = self.closes[thing[0], day]
        last_ms = max(close.shut_ms, min(until_ms, self.final_ms(thing[0], day)))
        words = _newest([word for word in self.words.get(thing, []) if word.logged_ms < last_ms])
        said = [word for word in words if isinstance(word.label, str)]
        chosen = self._chosen(said)
        return _Decision(
            label=chosen.label if chosen else None,
            source=chosen.source if chosen else None,
            late=any(word.logged_ms >= close.shut_ms for word in words),
            contradicted=len({word.label for word in said}) > 1,
            withdrawn=len(said) < len(words),
            weight=max([word.weight for word in said], default=1.0),
        )

    def _chosen(self, said: list[Any]) -> Any | None:
        """The newest word for the class that weighs most; of those that weigh the same, for the one named last."""
        weights: defaultdict[str, float] = defaultdict(float)
        for word in said:
            weights[word.label] += self.terms.trust.get(word.source, 1.0)
        return max(said, key=lambda word: (weights[word.label], word.labelled_us, word.label_id), default=None)

    def on(self, camera: str, day: str) -> list[_Decision]:
        """What was said of each thing of a day."""
        things = [thing for thing in self.words if thing[0] == camera and self.counted_on[thing] == day]
        return [self.decided(thing, day) for thing in things]


def _newer(words: Iterable[Any]) -> Iterator[Any]:
    """Without those that their source has repeated, or overtaken by a correction that came first."""
    last: dict[tuple[Thing, str], tuple[int, str]] = {}
    for word in words:
        age, key = (word.labelled_us, word.label_id), (word.thing, word.source)
        if age > last.get(key, (-1, "")):
            last[key] = age
            yield word


def _newest(words: Iterable[Any]) -> list[Any]:
    """Of each source, what it said last."""
    return [*{word.source: word for word in sorted(words, key=lambda w: (w.labelled_us, w.label_id))}.values()]


def _heard(
    words: pd.DataFrame,
    seen_on: Mapping[Thing, str],
    counted_on: Mapping[Thing, str],
    closes: Mapping[tuple[str, str], _Close],
    terms: Terms,
) -> _Heard:
    """Words by thing; one that was given before its thing was seen is none."""
    said = words[words["thing"].notna()]
    said = said.assign(on=_days_of(said["labelled_us"], terms.timezone))
    found: defaultdict[Thing, list[Any]] = defaultdict(list)
    unseen: set[tuple[str, str, Thing]] = set()
    for word in _newer(said.itertuples()):
        if seen_on.get(word.thing, "unseen") <= word.on:
            found[word.thing].append(word)
        elif isinstance(word.label, str) and _is_in_time(word, closes):
            unseen.add((word.camera_id, word.on, word.thing))
    missed = Counter((camera, day) for camera, day, _ in unseen)
    return _Heard(found, seen_on, {**seen_on, **counted_on}, missed, closes, terms)


def _is_in_time(word: Any, closes: Mapping[tuple[str, str], _Close]) -> bool:
    """Whether a word came before its own day had closed to labels."""
    close = closes.get((word.camera_id, word.on))
    return close is not None and word.logged_ms < close.shut_ms


# Figures


def _report(batch: _Batch, day: str) -> Figures:
    cameras = sorted(camera for camera, other in batch.closes if other == day)
    before = sorted(camera for camera, other in batch.closes if other == _day_before(day))
    frames, judged = (table[table["day"] == day] for table in (batch.frames, batch.judged))
    unmatched = sum(batch.words.unmatched[camera, day] for camera in cameras)
    fair, signal = _fairly(judged), signals(batch.frames, batch.vehicles, cameras, day)
    return {
        "day": day,
        "revision": len(batch.trust.reported[day]),
        "timezone": batch.zone,
        "starts_at": _start(day, batch.zone).to_pydatetime(),
        "ends_at": (_start(day, batch.zone) + ONE_DAY).to_pydatetime(),
        "scores": _scores(batch, frames, judged, unmatched),
        "cameras": [_camera(batch, frames, judged, camera, day) | {"signals": signal[camera]} for camera in cameras],
        "absent": sorted({*before} - {*cameras}),
        "model_versions": sorted(set(frames.loc[frames["label"].notna(), "model_version"])),
        "intervals": _intervals(batch, frames, judged),
        "estimate": batch.trust.estimate(day),
        "reliability": _reliability(fair),
        "calibration_error": _calibration_error(fair),
        "slices": _slices(fair, cameras, batch.trust.discovered(day)),
        "stages": _stages(frames),
        "labels": _labels(batch, cameras, day) | ({"unmatched": unmatched} if unmatched else {}),
    }


def _day_before(day: str) -> str:
    return str((pd.Timestamp(day) - ONE_DAY).date())


def _camera(batch: _Batch, frames: pd.DataFrame, judged: pd.DataFrame, camera: str, day: str) -> Figures:
    own_frames, own = (table[table["camera_id"] == camera] for table in (frames, judged))
    return {
        "camera_id": camera,
        "scores": _scores(batch, own_frames, own, batch.words.unmatched[camera, day]),
        "device": batch.devices.get((camera, day)),
        "worst": _worst(own),
    }


def _scores(batch: _Batch, frames: pd.DataFrame, judged: pd.DataFrame, unmatched: int) -> Figures:
    classified, vehicles = frames[frames["label"].notna()], judged[judged["vehicle"]]
    known, labelled = _labelled_frames(batch, classified), judged[judged["truth"].notna()]
    strata = _strata(known, judged)
    return {
        "frames": len(classified),
        "passages": len(vehicles),
        "passages_by_label": vehicles["predicted"].value_counts().to_dict(),
        "labelled": len(labelled),
        **_of_classes(labelled["truth"], labelled["predicted"], labelled["weight"]),
        "labelled_frames": len(known),
        "frame_accuracy": _weighted_accuracy(known["truth"], known["label"], known["weight"]) if len(known) else None,
        "flip_rate": _share(vehicles["dissenting"].sum(), vehicles["frames"].sum()),
        "mean_confidence": _mean(classified["confidence"]),
        "mean_brightness": _mean(classified["brightness"]),
        **{f"latency_{name}_ms": value for name, value in _quantiles(classified["latency_ms"]).items()},
        "unmatched_labels": unmatched,
        "weighted": [_cells_of(weight, known, labelled, doubt) for weight, _, doubt in strata],
        "effective": _effective_of_all(strata, _scale(strata, judged)) if any(len(t) for _, t, _ in strata) else None,
    }


def _labelled_frames(batch: _Batch, frames: pd.DataFrame) -> pd.DataFrame:
    """Frames with a label of their own, or else their passage's, and what it weighs."""
    columns = ("camera_id", "epoch", "sequence", "passage", "day")
    found = []
    for camera, epoch, sequence, passage, day in zip(*(frames[c] for c in columns), strict=True):
        own = batch.truth((camera, False, epoch, int(sequence)), day)
        of_passage = (None, 1.0) if math.isnan(passage) else batch.truth((camera, True, epoch, int(passage)), day)
        found.append(own if own[0] else of_passage)
    truths = pd.Series([label for label, _ in found], index=frames.index, dtype=object)
    told = frames.assign(truth=truths, weight=pd.Series([weight for _, weight in found], frames.index, dtype=float))
    return told[truths.notna()]


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean(values: "pd.Series[Any]") -> float | None:
    return float(values.mean()) if len(values) else None


def _quantiles(values: "pd.Series[Any]") -> dict[str, float | None]:
    """The values that so many do not exceed."""
    ranked = sorted(values)
    at = {f"p{part}": math.ceil(part / 100 * len(ranked)) - 1 for part in (50, 95, 99)}
    return {name: ranked[place] if ranked else None for name, place in at.items()}


def _weighted_accuracy(truth: "pd.Series[Any]", predicted: "pd.Series[Any]", weights: "pd.Series[Any]") -> float:
    return float(metrics.accuracy_score(truth, predicted, sample_weight=weights))


def _of_classes(truth: "pd.Series[Any]", predicted: "pd.Series[Any]", weights: "pd.Series[Any]") -> Figures:
    names = sorted({*truth, *predicted})
    if not names:
        return dict.fromkeys(("accuracy", "precision", "recall", "f1")) | {"classes": [], "confusion": []}
    matrix = _confusion(truth, predicted, names)
    each = metrics.precision_recall_fscore_support(
        truth, predicted, labels=names, zero_division=np.nan, sample_weight=weights
    )
    classes = [
        {"label": name, "support": support, "predicted": called, "precision": p, "recall": r, "f1": f}
        for name, support, called, p, r, f in zip(names, matrix.sum(axis=1), matrix.sum(axis=0), *each[:3], strict=True)
    ]
    cells = [(a, b, matrix[i, j]) for i, a in enumerate(names) for j, b in enumerate(names) if matrix[i, j]]
    return {
        "accuracy": _weighted_accuracy(truth, predicted, weights),
        **{name: float(np.nanmean(values)) for name, values in zip(("precision", "recall", "f1"), each, strict=False)},
        "classes": pd.DataFrame(classes).astype(object).replace({np.nan: None}).to_dict("records"),
        "confusion": [dict(zip(("truth", "predicted", "count"), cell, strict=True)) for cell in cells],
    }


def _confusion(truth: "pd.Series[Any]", predicted: "pd.Series[Any]", names: list[str]) -> np.ndarray:
    """Counts by truth and prediction; scikit-learn warns of a single class, and so there is one that nothing is of."""
    return metrics.confusion_matrix(truth, predicted, labels=[*names, ""])[:-1, :-1]


# Intervals


def _wilson(right: float, n: float) -> tuple[float, float]:
    """Where (share - p)² = z² p (1 - p) / n."""
    if n == 0:
        return 0.0, 1.0
    low, high = sorted(np.roots([1 + Z * Z / n, -(2 * right + Z * Z) / n, (right / n) ** 2]).real)
    return max(low, 0.0), min(high, 1.0)


MEASURES: Final = {
    "precision": lambda counts, i: counts[i, i] / counts[:, i].sum(),
    "recall": lambda counts, i: counts[i, i] / counts[i, :].sum(),
    "f1": lambda counts, i: 2 * counts[i, i] / (counts[i, :].sum() + counts[:, i].sum()),
}
"A class's figures, of counts by truth and prediction."


def _intervals(batch: _Batch, frames: pd.DataFrame, judged: pd.DataFrame) -> list[Figures]:
    labelled = judged[judged["truth"].notna()]
    names = sorted({*labelled["truth"], *labelled["predicted"]})
    if not names:
        return []
    strata = [(w, t, d) for w, t, d in _strata(_labelled_frames(batch, frames), judged) if len(t)]
    found = _plain_intervals(labelled, names) if len(strata) < 2 else _weighted_intervals(strata, judged, names)
    return [
        {"metric": name, "value": value, "low": low, "high": high, "n": n}
        for name, (value, low, high, n) in sorted(found.items())
        if n
    ]


def _plain_intervals(labelled: pd.DataFrame, names: list[str]) -> Figures:
    counts = _confusion(labelled["truth"], labelled["predicted"], names)
    of_classes = {
        (measure, name): _of_class(counts, i, measure) for i, name in enumerate(names) for measure in MEASURES
    }
    accuracy = (np.trace(counts) / counts.sum(), *_wilson(np.trace(counts), counts.sum()), counts.sum())
    return {"accuracy": accuracy, **_named(counts, of_classes, names, int(counts.sum()))}


def _named(counts: np.ndarray, of_classes: Figures, names: list[str], n: int) -> Figures:
    """The figures of classes, and their means."""
    found = {f"{measure}:{name}": figure for (measure, name), figure in of_classes.items()}
    for measure in MEASURES:
        found[measure] = _mean_of_classes(counts, [of_classes[measure, name] for name in names], measure, n)
    return found


def _of_class(counts: np.ndarray, i: int, measure: str) -> tuple[float, float, float, int]:
    """Wilson's; F1 is 2 x / (1 + x) of the share x that is right among those that are, or were called, of the class."""
    support, called, right = counts[i].sum(), counts[:, i].sum(), counts[i, i]
    touched = {"precision": called, "recall": support, "f1": support + called - right}[measure]
    low, high = _wilson(right, touched)
    if not touched:
        return math.nan, 0.0, 1.0, 0
    if measure == "f1":
        low, high = (2 * bound / (1 + bound) for bound in (low, high))
    return MEASURES[measure](counts, i), low, high, touched


def _mean_of_classes(
    counts: np.ndarray, each: list[tuple[float, float, float, int]], measure: str, n: int
) -> tuple[float, float, float, int]:
    """The classes' bounds combined (MOVER), with the correlations that the delta method gives."""
    known = [i for i, figure in enumerate(each) if figure[3]]
    value, low, high, _ = np.array([each[i] for i in known]).T
    alike, k = _correlations(counts, known, measure), len(known)
    below, above = (math.sqrt(max(0.0, half @ alike @ half)) / k for half in (value - low, high - value))
    return value.mean(), value.mean() - below, value.mean() + above, n


def _correlations(counts: np.ndarray, known: list[int], measure: str) -> np.ndarray:
    slopes = np.array([_slopes(counts, i, measure) for i in known])
    covariance = (slopes * counts.ravel()) @ slopes.T
    moved = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    return np.divide(covariance, moved, out=np.ones_like(moved), where=moved > 1e-15)


def _slopes(counts: np.ndarray, i: int, measure: str) -> np.ndarray:
    """By how much a class's figure rises with one more vehicle of each cell: its derivative, by a complex step."""
    steps = 1e-20j * np.eye(counts.size).reshape(-1, *counts.shape)
    return np.array([MEASURES[measure](counts + step, i).imag / 1e-20 for step in steps])


# Weights


Strata = list[tuple[float, pd.DataFrame, float]]
"Weight, the labelled vehicles that have it, and the sum of their confidences as reports of cameras add it up."


def _strata(known: pd.DataFrame, judged: pd.DataFrame) -> Strata:
    """By weight, sorted; none where all labels, of frames and of vehicles, have the same."""
    labelled = judged[judged["truth"].notna()]
    weights = sorted({*known["weight"], *labelled["weight"]})
    if len(weights) < 2:
        return []
    tables = [labelled[labelled["weight"] == weight] for weight in weights]
    plain = {
        camera
        for camera in judged["camera_id"].unique()
        if {
            *known.loc[known["camera_id"] == camera, "weight"],
            *labelled.loc[labelled["camera_id"] == camera, "weight"],
        }
        <= {1.0}
    }
    own = [table.loc[~table["camera_id"].isin(plain), "confidence"].sum() for table in tables]
    return [
        (weight, table, total + (_binned(judged, plain) if weight == 1 else 0.0))
        for weight, table, total in zip(weights, tables, own, strict=True)
    ]


def _binned(judged: pd.DataFrame, cameras: set[str]) -> float:
    """The confidences of labelled vehicles, each as the mean of its camera's vehicles of that verdict and fiftieth."""
    known = judged[judged["camera_id"].isin(cameras)]
    fiftieth = np.minimum((known["confidence"] * 50).astype(int), 49)
    means = known.groupby([known["camera_id"], known["predicted"], fiftieth])["confidence"].transform("mean")
    return float(means[known["truth"].notna()].sum())


def _cells_of(weight: float, known: pd.DataFrame, labelled: pd.DataFrame, confidence_sum: float) -> Figures:
    frames, vehicles = (table[table["weight"] == weight] for table in (known, labelled))
    return {
        "weight": weight,
        "cells": _counted_cells(vehicles["truth"], vehicles["predicted"]),
        "frame_cells": _counted_cells(frames["truth"], frames["label"]),
        "confidence_sum": confidence_sum,
    }


def _counted_cells(truth: "pd.Series[Any]", predicted: "pd.Series[Any]") -> list[Figures]:
    counts = Counter(zip(truth, predicted, strict=True))
    return [{"truth": a, "predicted": b, "count": n} for (a, b), n in sorted(counts.items())]


def _scale(strata: Strata, judged: pd.DataFrame) -> float:
    return max(1.0, len(judged) / sum(weight * len(table) for weight, table, _ in strata))


def _effective_of_all(strata: Strata, scale: float) -> float:
    return _effective([(w, t, np.ones(len(t), bool)) for w, t, _ in strata if len(t)], scale)


def _effective(touched: list[tuple[float, pd.DataFrame, np.ndarray]], scale: float) -> float:
    """Mean (1 - mean) by the variance of a ratio, each weight's labels with pseudo-labels spread over what is asked."""
    if len(touched) < 2:
        return float(sum(asked.sum() for _, _, asked in touched))
    blocks = [(weight, *_labels_of(table, asked)) for weight, table, asked in touched]
    n = sum(w * (counts * asked).sum() for w, counts, asked, _ in blocks)
    mean = sum(w * (counts * asked * right).sum() for w, counts, asked, right in blocks) / n
    variance = 0.0
    for weight, counts, asked, right in blocks:
        off = asked * (right - mean)
        labels = counts.sum()
        spread = np.average((off - np.average(off, weights=counts)) ** 2, weights=counts) * labels
        variance += weight**2 * max(0.0, 1 - 1 / (weight * scale)) * spread
    return float(mean * (1 - mean) * n**2 / variance)


def _labels_of(table: pd.DataFrame, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and pseudo-labels: how many each counts, whether it is asked about, whether it is right."""
    share, right = asked.mean(), (table["truth"] == table["predicted"]).to_numpy()
    counts = np.append(np.ones(len(table)), [PSEUDO * share, PSEUDO * share, 2 * PSEUDO * (1 - share)])
    return counts, np.append(asked, [1, 1, 0]).astype(float), np.append(right, [1, 0, 0]).astype(float)


def _weighted_intervals(strata: Strata, judged: pd.DataFrame, names: list[str]) -> Figures:
    scale = _scale(strata, judged)
    counts = sum(weight * _confusion(table["truth"], table["predicted"], names) for weight, table, _ in strata)
    n = sum(len(table) for _, table, _ in strata)
    of_classes = {
        (measure, name): _of_weighted_class(strata, counts, i, name, measure, scale)
        for i, name in enumerate(names)
        for measure in MEASURES
    }
    value = np.trace(counts) / counts.sum()
    low, high = _shortest(strata, scale)
    return {"accuracy": (value, min(low, value), max(high, value), n), **_named(counts, of_classes, names, n)}


def _of_weighted_class(
    strata: Strata, counts: np.ndarray, i: int, name: str, measure: str, scale: float
) -> tuple[float, float, float, int]:
    """As `_of_class`, Wilson's interval being of so many labels as would tell as much."""
    asked = [(weight, table, _asked_of(table, name, measure)) for weight, table, _ in strata]
    asked = [(weight, table, those) for weight, table, those in asked if those.any()]
    n = sum(int(those.sum()) for _, _, those in asked)
    if not n:
        return math.nan, 0.0, 1.0, 0
    rights = [(w, (those & (t["truth"] == t["predicted"]).to_numpy()).sum(), those.sum()) for w, t, those in asked]
    share = sum(w * right for w, right, _ in rights) / sum(w * all_ for w, _, all_ in rights)
    worth = _effective(asked, scale)
    low, high = _wilson(share * worth, worth)
    if measure == "f1":
        low, high = (2 * bound / (1 + bound) for bound in (low, high))
    return MEASURES[measure](counts, i), low, high, n


def _asked_of(table: pd.DataFrame, name: str, measure: str) -> np.ndarray:
    is_, called = ((table[column] == name).to_numpy() for column in ("truth", "predicted"))
    return {"precision": called, "recall": is_, "f1": is_ | called}[measure]


def _shortest(strata: Strata, scale: float) -> tuple[float, float]:
    """The shortest interval of accuracies that holds 95 %, where a weight's unlabelled vehicles are betabinomial."""
    chances, seen, labelled = np.ones(1), 0, 0
    for weight, table, confidence_sum in strata:
        n, wrong = len(table), int((table["truth"] != table["predicted"]).sum())
        sure = float(np.clip(WRONG / max(1 - confidence_sum / n, 1e-9) - WRONG, *SURE))
        others = round(n * max(0.0, weight * scale - 1))
        one = stats.betabinom(others, wrong + WRONG, n - wrong + sure).pmf(np.arange(others + 1))
        chances, seen, labelled = np.convolve(chances, one), seen + wrong, labelled + n
    so_far = np.append(0.0, chances.cumsum())
    runs = [
        (np.searchsorted(so_far, below + HELD) - i, i) for i, below in enumerate(so_far) if below + HELD < so_far[-1]
    ]
    length, first = min(runs)
    vehicles = labelled + len(chances) - 1
    return 1 - (seen + first + length - 1) / vehicles, 1 - (seen + first) / vehicles


# Confidence


def _tenths(judged: pd.DataFrame) -> Any:
    """Labelled vehicles by tenths of confidence."""
    labelled = judged[judged["truth"].notna()]
    tenth = np.minimum(np.floor(labelled["confidence"] * 10), 9)
    return labelled.assign(right=labelled["truth"] == labelled["predicted"]).groupby(tenth)


def _reliability(judged: pd.DataFrame) -> list[Figures]:
    return [
        {
            "low": tenth / 10,
            "high": (tenth + 1) / 10,
            "confidence": table["confidence"].mean(),
            "accuracy": table["right"].mean(),
            "n": len(table),
        }
        for tenth, table in _tenths(judged)
    ]


def _calibration_error(judged: pd.DataFrame) -> float | None:
    gaps = [(len(table), abs(table["confidence"].mean() - table["right"].mean())) for _, table in _tenths(judged)]
    return float(np.average([gap for _, gap in gaps], weights=[n for n, _ in gaps])) if gaps else None


# Slices


def _slices(judged: pd.DataFrame, cameras: list[str], discovered: set[str]) -> list[Figures]:
    """A slice is where a vehicle is that crossed, or one that is labelled; each camera is one."""
    labelled = judged[judged["truth"].notna()]
    shown = judged[judged["vehicle"] | judged["truth"].notna()]
    values = {name: sorted(shown[name].dropna().unique()) for name in ("hour", "light", "size", "weather", "zone")}
    found = [_slice("camera", camera, judged["camera_id"] == camera, judged, labelled) for camera in cameras]
    found += [_slice(name, value, judged[name] == value, judged, labelled) for name in values for value in values[name]]
    return [{**each, "discovered": f"{each['dimension']}={each['value']}" in discovered} for each in found]


def _slice(dimension: str, value: str, inside: Any, judged: pd.DataFrame, labelled: pd.DataFrame) -> Figures:
    own, others = labelled[inside.loc[labelled.index]], labelled[~inside.loc[labelled.index]]
    right, rest = ((table["truth"] == table["predicted"]).sum() for table in (own, others))
    vehicles = judged[inside & judged["vehicle"]]
    low, high = _wilson(right, len(own))
    both = bool(len(own) and len(others))
    gap_low, gap_high = _newcombe(right, len(own), rest, len(others)) if both else (-1.0, 1.0)
    return {
        "dimension": dimension,
        "value": value,
        "passages": vehicles["predicted"].value_counts().to_dict(),
        "labelled": len(own),
        "accuracy": _share(right, len(own)),
        "low": low,
        "high": high,
        "gap": right / len(own) - rest / len(others) if both else None,
        "gap_low": gap_low,
        "gap_high": gap_high,
        "truths": own["truth"].value_counts().to_dict(),
    }


def _newcombe(right: int, n: int, rest: int, others: int) -> tuple[float, float]:
    """Bounds of a difference of shares (Newcombe 1998, method 10)."""
    (low, high), (other_low, other_high) = _wilson(right, n), _wilson(rest, others)
    one, other = right / n, rest / others
    below = math.sqrt((one - low) ** 2 + (other_high - other) ** 2)
    above = math.sqrt((high - one) ** 2 + (other - other_low) ** 2)
    return one - other - below, one - other + above


# Labels, stages, frames to be looked at


def _labels(batch: _Batch, cameras: list[str], day: str) -> dict[str, int]:
    decisions = [decision for camera in cameras for decision in batch.words.on(camera, day)]
    counts = Counter(f"from {each.source}" for each in decisions if each.label is not None)
    for name in ("late", "contradicted", "withdrawn"):
        counts[name] = sum(getattr(each, name) for each in decisions)
    return dict(+counts)


def _stages(frames: pd.DataFrame) -> list[Figures]:
    known = frames[frames["label"].notna() & frames["queue_ms"].notna()]
    parts = {name: known[f"{name}_ms"].astype(float) for name in ("decode", "inference", "queue")}
    parts["other"] = known["latency_ms"] - sum(parts.values())
    stages = {name: _quantiles(parts[name]) for name in sorted(parts)} if len(known) else {}
    return [{"stage": name} | {f"{p}_ms": value for p, value in each.items()} for name, each in stages.items()]


def _worst(judged: pd.DataFrame) -> list[Figures]:
    """Those that are wrong, the surest first; then those without a label, the least sure first."""
    names = zip(judged["camera_id"], judged["epoch"], judged["sequence"], strict=True)
    named = judged.assign(frame_id=[frame_id(camera, epoch, int(number)) for camera, epoch, number in names])
    wrong = named[named["truth"].notna() & (named["truth"] != named["predicted"])]
    ranked = {
        "wrong": wrong.sort_values(["confidence", "frame_id"], ascending=[False, False]),
        "unsure": named[named["truth"].isna()].sort_values(["confidence", "frame_id"], ascending=[True, False]),
    }
    return [
        {
            "frame_id": row.frame_id,
            "captured_at": from_us(int(row.captured_us)),
            "truth": row.truth if isinstance(row.truth, str) else None,
            "predicted": row.predicted,
            "confidence": row.confidence,
            "why": why,
        }
        for why, table in ranked.items()
        for row in table.head(WORST[why]).itertuples()
    ]


# Devices


def _devices(log: Log, terms: Terms) -> dict[tuple[str, str], Figures]:
    """By camera and day, what devices said in time."""
    found = pd.DataFrame(_measured(at, each) for at, each in log if isinstance(each, Telemetry) and _is_sound(each))
    found = found[found["measured_us"] <= found["logged_ms"] * 1000 + _span_us(terms.max_skew)]
    found["day"] = _days_of(found["measured_us"], terms.timezone)
    parts = [_device_days(table, terms) for _, table in found.groupby("camera_id")]
    return {key: figures for part in parts for key, figures in part.items()}


def _is_sound(told: Telemetry) -> bool:
    values = (told.temperature_c, told.pressure_hpa, *told.magnetometer_ut)
    return all(value is None or math.isfinite(value) for value in values)


def _measured(at: datetime, told: Telemetry) -> Figures:
    return {
        **asdict(told),
        "measured_us": to_us(told.measured_at),
        "logged_ms": (at - EPOCH) // MILLISECOND,
        "magnetometer_ut": float(np.linalg.norm(told.magnetometer_ut)) if told.magnetometer_ut else None,
    }


def _device_days(table: pd.DataFrame, terms: Terms) -> dict[tuple[str, str], Figures]:
    ends = {day: _end_us(day, terms.timezone) + _span_us(terms.lateness) for day in table["day"].unique()}
    newest = table["measured_us"].where(table["state"] != "ended", NEVER).cummax().shift(fill_value=-1)
    table = table[newest < table["day"].map(ends)]
    newer = table[table["measured_us"] >= table["measured_us"].cummax()]
    counted = pd.DataFrame(_counted(newer.to_dict("records")), index=newer.index).fillna(0).astype(int)
    return {(day[0], day[1]): _device(part, counted) for day, part in table.groupby(["camera_id", "day"])}


def _counted(told: list[Figures]) -> Iterator[dict[str, int]]:
    """What each record's process has counted since the one before; a process that began anew, since its start."""
    before: dict[str, int] | None = None
    for each in told:
        now = {name: each[name] for name in COUNTERS} | {f"dropped {k}": n for k, n in each["dropped"].items()}
        if before is None:
            yield now if each["pictures"] <= 1 else {}
        else:
            began_anew = any(now.get(name, 0) < n for name, n in before.items())
            yield now if began_anew else {name: n - before.get(name, 0) for name, n in now.items()}
        before = now


def _device(table: pd.DataFrame, counted: pd.DataFrame) -> Figures:
    totals = counted.loc[counted.index.intersection(table.index)].sum()
    drops = {name.removeprefix("dropped "): int(n) for name, n in totals.items() if name not in COUNTERS and n}
    return {
        "records": len(table),
        "sensors": [_sensor(name, table[name].dropna()) for name in SENSORS if table[name].notna().any()],
        "states": table["state"].value_counts().to_dict(),
        **{name: int(totals.get(name, 0)) for name in COUNTERS},
        "dropped": drops,
    }


def _sensor(name: str, values: "pd.Series[Any]") -> Figures:
    return {
        "sensor": name,
        "count": len(values),
        "total": values.sum(),
        "low": values.min(),
        "high": values.max(),
    }
