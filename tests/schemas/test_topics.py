"""The topic table holds together."""

from schemas.dead_letters import dead_letter_headers, read_dead_letter
from schemas.records import DeadLetter
from schemas.topics import TABLE, Names, wanted_topics


def test_every_topic_that_a_camera_keys_has_as_many_partitions() -> None:
    """A camera's records lie in the same partition everywhere."""
    wanted = {topic.name: topic.partitions for topic in wanted_topics(Names("rw"), 6)}
    assert {wanted[f"rw.{topic.name}"] for topic in TABLE if topic.by_camera} == {6}


def test_dead_letters_fit_where_their_originals_fitted() -> None:
    wanted = {topic.name: int(topic.config["max.message.bytes"]) for topic in wanted_topics(Names("rw"), 1)}
    assert all(wanted[name] > wanted[name.removesuffix(".dlq")] for name in wanted if name.endswith(".dlq"))


def test_names_go_without_a_prefix() -> None:
    assert [Names("").of(topic) for topic in TABLE] == [topic.name for topic in TABLE]


def test_a_dead_letters_headers_are_read_back() -> None:
    letter = DeadLetter("DecodingError", "torn", "rw.frames", 3, 42, "processor")
    assert read_dead_letter(dead_letter_headers(letter)) == letter
