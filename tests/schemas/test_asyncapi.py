"""The AsyncAPI document tells of every topic."""

from schemas.asyncapi import asyncapi
from schemas.topics import TABLE, Names


def test_every_topic_has_a_channel_with_its_schema() -> None:
    document = asyncapi(Names("rw"), "127.0.0.1:9092", "1.0")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {f"rw.{topic.name}" for topic in TABLE}
    frame = document["channels"]["frames"]["messages"]["Frame"]["payload"]["schema"]
    assert frame["fields"][0]["name"] == "frame_id"


def test_every_operation_points_at_a_channel() -> None:
    document = asyncapi(Names("rw"), "127.0.0.1:9092", "1.0")
    references = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    assert references == {f"#/channels/{name}" for name in document["channels"]}
