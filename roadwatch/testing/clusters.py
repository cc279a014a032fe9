"""A corner of a cluster for one test: topics, groups and folders that nobody else has."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.admin import TopicAdmin
from runtime.settings import KafkaSettings, Settings

SECTIONS = ("kafka", "processor", "models", "monitor", "service")
"What services are told; the mailer has no part in tests."


@contextmanager
def cluster_of_its_own(kafka: KafkaSettings, folder: Path) -> Iterator[Settings]:
    """Settings with topics that are there for as long as the context lasts; files are kept in `folder`.

    Raises:
        BrokerUnavailableError: nobody answers.

    """
    settings = settings_of_its_own(kafka, folder)
    admin = TopicAdmin(settings.kafka)
    try:
        admin.create()
        yield settings
    finally:
        prefix = settings.kafka.topic_prefix
        admin.delete([name for name in admin.existing() if name.startswith(prefix)])


def settings_of_its_own(kafka: KafkaSettings, folder: Path) -> Settings:
    """Settings whose names nobody else has; nothing is made."""
    prefix = f"test-{uuid.uuid4().hex[:10]}"
    base = Settings.model_construct()  # neither the environment nor a file has a say in tests
    return base.model_copy(
        update={
            "kafka": kafka.model_copy(update={"topic_prefix": prefix}),
            "processor": base.processor.model_copy(update={"group": f"{prefix}-processor"}),
            "models": base.models.model_copy(update={"registry": str(folder / "registry")}),
            "monitor": base.monitor.model_copy(
                update={"group": f"{prefix}-monitor", "data_folder": folder / "monitor"}
            ),
            "mail": base.mail.model_copy(update={"group": f"{prefix}-mailer"}),
        }
    )


def write_settings(settings: Settings, file: Path) -> Path:
    """Write settings as a file for services: what stands in roadwatch.toml beside the tests is not theirs."""
    plain = settings.model_dump(mode="json", include=set(SECTIONS), exclude_none=True)
    file.write_text("".join(_table((section,), plain[section]) for section in SECTIONS), encoding="utf-8")
    return file


def _table(path: tuple[str, ...], values: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    inner = {name: value for name, value in values.items() if isinstance(value, dict)}
    lines = [f"[{'.'.join(map(json.dumps, path))}]", *(f"{json.dumps(n)} = {json.dumps(v)}" for n, v in plain.items())]
    return "\n".join(lines) + "\n\n" + "".join(_table((*path, name), value) for name, value in inner.items())
