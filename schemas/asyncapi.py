"""An AsyncAPI 3.0 document of every topic, made from the topic table: for consumers, in their own tools."""

import json
from typing import Any

from schemas.codec import schema_text
from schemas.topics import TABLE, Names, Topic, topic_config

AVRO = "application/vnd.apache.avro;version=1.12.0"


def asyncapi(names: Names, servers: str, version: str) -> dict[str, Any]:
    """The document, as plain values for JSON or YAML."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Roadwatch",
            "version": version,
            "description": "Vehicles classified on road cameras, and how well the model does.",
        },
        "defaultContentType": "avro/binary",
        "servers": {"kafka": {"host": servers, "protocol": "kafka"}},
        "channels": {topic.name: _channel(topic, names) for topic in TABLE},
        "operations": {f"read-{topic.name}": _operation(topic) for topic in TABLE},
    }


def _channel(topic: Topic, names: Names) -> dict[str, Any]:
    return {
        "address": names.of(topic),
        "description": f"{topic.about[0].upper()}{topic.about[1:]}.",
        "messages": {topic.record.__name__: _message(topic)},
        "bindings": {"kafka": {"topicConfiguration": _configuration(topic), "bindingVersion": "0.5.0"}},
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    config = topic_config(topic)
    return {
        "cleanup.policy": config["cleanup.policy"].split(","),
        "retention.ms": int(config["retention.ms"]),
        "max.message.bytes": int(config["max.message.bytes"]),
    }


def _message(topic: Topic) -> dict[str, Any]:
    schema = json.loads(schema_text(topic.record))
    return {
        "name": topic.record.__name__,
        "summary": schema["doc"],
        "payload": {"schemaFormat": AVRO, "schema": schema},
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
    }


def _operation(topic: Topic) -> dict[str, Any]:
    return {"action": "receive", "channel": {"$ref": f"#/channels/{topic.name}"}, "summary": topic.about}
