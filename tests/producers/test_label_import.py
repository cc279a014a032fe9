"""Labels from CSV: right lines become records, every wrong one is named."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from producers.label_import import Check, Defaults, read_lines
from schemas.errors import ConfigurationError
from schemas.records import Label

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DEFAULTS = Defaults(("car", "truck"), "anna", NOW)


def written(folder: Path, text: str | bytes) -> Path:
    """A CSV file with this content."""
    file = folder / "labels.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def labels(folder: Path, text: str | bytes) -> list[Label]:
    """The labels of a file that is right."""
    lines = list(read_lines(written(folder, text), DEFAULTS))
    assert [line.faults for line in lines if line.faults] == []
    return [line.label for line in lines if line.label]


def test_a_line_becomes_a_label(tmp_path: Path) -> None:
    """The camera comes from the id, what is not said from the defaults."""
    (label,) = labels(tmp_path, "frame_id,label\ngate:2026-11-23T05:06:00Z:42,truck\n")
    assert (label.camera_id, label.frame_id, label.passage_id) == ("gate", "gate:2026-11-23T05:06:00Z:42", None)
    assert (label.label, label.source, label.weight, label.labelled_at) == ("truck", "anna", 1.0, NOW)


def test_a_label_is_taken_back(tmp_path: Path) -> None:
    """Of a class there may be no vehicle called `withdrawn`."""
    (label,) = labels(tmp_path, "passage_id,label\ngate:e:p7,withdrawn\n")
    assert (label.label, label.passage_id, label.label_id) == (None, "gate:e:p7", "anna:gate:e:p7=withdrawn")


def test_every_column_is_read(tmp_path: Path) -> None:
    """A passage, weighted, by somebody, at a time in a zone of its own."""
    header = "passage_id;label;source;weight;labelled_at\n"
    (label,) = labels(tmp_path, header + "gate:e:p7;car;loop;2.5;2026-11-23T08:00:00+02:00\n")
    assert (label.passage_id, label.source, label.weight) == ("gate:e:p7", "loop", 2.5)
    assert label.labelled_at == datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "frame_id,label\na:e:1,car\n",
        "\ufeffFrame_ID , Label\r\na:e:1 , car\r\n\r\n",
        "label\tframe_id\ncar\ta:e:1",
        'frame_id;passage_id;label\n"a:e:1";;"car"\n',
    ],
)
def test_the_spellings_that_spreadsheets_give_are_read(tmp_path: Path, text: str) -> None:
    """Byte order mark, capitals, spaces, empty lines, tabs, semicolons, quotes."""
    assert [label.frame_id for label in labels(tmp_path, text)] == ["a:e:1"]


def test_the_same_line_gives_the_same_label_id_and_a_correction_another(tmp_path: Path) -> None:
    """Sent twice it counts once; a changed mind is a label of its own."""
    first, again = (labels(tmp_path, "frame_id,label\na:e:1,car\n")[0] for _ in range(2))
    changed = labels(tmp_path, "frame_id,label\na:e:1,truck\n")[0]
    assert first.label_id == again.label_id != changed.label_id


def check_file(path: Path, defaults: Defaults) -> Check:
    """Every line counted, every fault named."""
    check = Check()
    for line in read_lines(path, defaults):
        check.add(line)
    return check


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a:e:1,,lorry,,", "label 'lorry' is not known; write one of car, truck"),
        (",,car,,", "fill frame_id or passage_id"),
        ("a:e:1,a:e:p1,car,,", "only one of them"),
        ("a:e:p1,,car,,", "is a passage's id; put it under passage_id"),
        (",a:e:1,car,,", "is a frame's id; put it under frame_id"),
        ("nonsense,,car,,", "no frame or passage id"),
        ("a:e:1,,car,-1,", "weight '-1' is not a number above 0"),
        ("a:e:1,,car,nan,", "weight 'nan'"),
        ("a:e:1,,car,1e200,", "weight '1e200' is not a number above 0, from 1e-06 to 1e+09"),
        ("a:e:1,,car,1e-9,", "weight '1e-9'"),
        (f"a:{'e' * 300}:1,,car,,", "has 304 characters, and no id has more than 256"),
        ("a:e:1,,car,,0001-01-01T00:00+05:00", "labelled_at '0001-01-01T00:00+05:00' is not a time"),
        ("a:e:1,,car,,9999-12-31T23:59:59-05:00", "is not a time"),
        ("a:e:1,,car,,0001-01-01T00:00:00Z", "is before 1970-01-02"),
        ("a:e:1,,car,,2062-11-24T00:00:00Z", "labelled_at '2062-11-24T00:00:00Z' is later than now"),
        ("a:e:1,,car,,yesterday", "labelled_at 'yesterday'"),
        ("a:e:1,,car,,2026-11-23T08:00:00", "with its zone"),
        ("a:e:1,car", "has 2 fields, the header names 5"),
    ],
)
def test_a_wrong_line_says_what_to_change(tmp_path: Path, line: str, said: str) -> None:
    check = check_file(written(tmp_path, f"frame_id,passage_id,label,weight,labelled_at\n{line}\n"), DEFAULTS)
    assert (check.good, check.bad) == (0, 1)
    assert any(fault.startswith("line 2: ") and said in fault for fault in check.faults)


def test_all_wrong_lines_are_named_by_number(tmp_path: Path) -> None:
    """Empty lines count as lines, so that the numbers are those of an editor."""
    check = check_file(written(tmp_path, "frame_id,label\na:e:1,cat\n\na:e:2,car\nx,dog\n"), DEFAULTS)
    assert (check.good, check.bad) == (1, 2)
    assert [fault.split(":")[0] for fault in check.faults] == ["line 2", "line 5", "line 5"]


def test_lines_that_contradict_each_other_are_all_wrong(tmp_path: Path) -> None:
    """One source cannot say two things of one frame in one file: nobody knows which it meant."""
    check = check_file(written(tmp_path, "frame_id,label\na:e:1,car\na:e:1,truck\na:e:1,car\na:e:2,car\n"), DEFAULTS)
    assert check.faults == [
        "line 2: says 'car', and line 3 says 'truck' of the same",
        "line 3: says 'truck', and line 2 says 'car' of the same",
        "line 4: says 'car', and line 3 says 'truck' of the same",
    ]
    assert (check.good, check.bad) == (1, 3)


def test_saying_it_twice_is_harmless(tmp_path: Path) -> None:
    assert len(labels(tmp_path, "frame_id,label\na:e:1,car\na:e:1,car\n")) == 2


def test_of_two_lines_with_times_of_their_own_the_later_holds(tmp_path: Path) -> None:
    """A file that tells corrections, too."""
    lines = "a:e:1,car,2026-11-23T08:00:00Z\na:e:1,truck,2026-11-23T09:00:00Z\n"
    found = labels(tmp_path, f"frame_id,label,labelled_at\n{lines}")
    assert max(found, key=lambda label: label.labelled_at).label == "truck"


def test_a_clock_may_be_a_little_ahead(tmp_path: Path) -> None:
    """By monitor.max_skew, as a camera's."""
    (label,) = labels(tmp_path, "frame_id,label,labelled_at\na:e:1,car,2026-11-24T00:04:00Z\n")
    assert label.labelled_at > NOW


def test_an_exported_label_that_nobody_has_changed_is_known(tmp_path: Path) -> None:
    """What one source has said does not become another's word; what was changed, or filled in, does."""
    lines = "a:e:1,car,x.jpg,car\na:e:2,truck,x.jpg,car\na:e:3,car,x.jpg,\n"
    found = read_lines(written(tmp_path, f"frame_id,label,pictures,known\n{lines}"), DEFAULTS)
    assert [line.is_as_exported for line in found] == [True, False, False]


def test_a_sources_name_has_an_end(tmp_path: Path) -> None:
    check = check_file(written(tmp_path, f"frame_id,label,source\na:e:1,car,{'s' * 201}\n"), DEFAULTS)
    assert "has 201 characters; name it with at most 200" in check.faults[0]
    assert len(check.faults[0]) < 200


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither frame_id nor passage_id"),
        (b"frame_id,klass\na:e:1,car\n", "column 'klass' is not known"),
        (b"frame_id,label,label\n", "column 'label' is there 2 times"),
        ("frame_id,label\na:e:1,c\u00e4r\n".encode("latin-1"), "byte 0xe4 is not UTF-8"),
        ("frame_id,label\n".encode("utf-16"), "is not UTF-8"),
        (b'frame_id,label\n"a:e:1,car\n', "quote that is never closed"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_file(written(tmp_path, content), DEFAULTS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        check_file(tmp_path / "none.csv", DEFAULTS)
