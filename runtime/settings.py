"""Every setting, read once at the entrance, from a TOML file and the environment.

    roadwatch.toml            [kafka] bootstrap_servers = "kafka:9092"
    environment               ROADWATCH_KAFKA__BOOTSTRAP_SERVERS=kafka:9092     wins over the file
    a file for each secret    [mail] password_file = "/run/secrets/smtp"        never in logs

All faults of a configuration are reported at once, as a ConfigurationError. Durations are written as
`runtime.durations` reads them: `"10m"`, `"7d"`, `"PT10M"`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from runtime.durations import Duration, SomeTime
from runtime.environment import PREFIX, Environment
from runtime.faults import Place, fault_of, without
from runtime.toml import read_toml
from runtime.values import Address, ChannelName, Servers, TimeOfDay, Timezone, TopicPrefix, WebAddress
from schemas.errors import ConfigurationError
from schemas.records import Severity
from schemas.topics import Names

DEFAULT_FILE = Path("roadwatch.toml")
ENVIRONMENT = "environment"
"Stands for a file's name in faults."
FILE_VALUE = "file:"


class Section(BaseModel):
    """A section of the settings: frozen, and refusing names it does not know, and numbers that are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RegistrySettings(Section):
    """A Schema Registry that speaks Confluent's API."""

    url: WebAddress
    "Such as `http://registry:8080/apis/ccompat/v7`."
    username: str | None = None
    "For basic authentication; None for none."
    password_file: Path | None = None
    "Holds the password."


class KafkaSettings(Section):
    """The cluster, and how its topics are laid out."""

    bootstrap_servers: Servers = "127.0.0.1:9092"
    "`host:port`, several with commas."
    properties: dict[str, str] = {}
    "Any librdkafka property, such as `security.protocol`; a value `file:/path` is read from that file."
    topic_prefix: TopicPrefix = "roadwatch"
    "Put before each topic's name with a dot."
    camera_partitions: int = Field(default=4, ge=1, le=1000)
    "Partitions of the topics that are keyed by camera: the most processors or monitors that can share the work."
    replication_factor: int = Field(default=1, ge=1)
    "Copies of each partition; 3 on a cluster."
    schema_registry: RegistrySettings | None = None
    "None: Avro single objects, no registry."

    @property
    def names(self) -> Names:
        """Topic names on this cluster."""
        return Names(self.topic_prefix)


class ProcessorSettings(Section):
    """The stream processors."""

    group: str = "roadwatch-processor"
    "The consumer group; with another kafka.topic_prefix, PREFIX-processor."
    bundle: Path | None = None
    "A model bundle's folder, which then serves whatever the registry says; None: the registry's champion."
    batch: int = Field(default=256, ge=1, le=10_000)
    "Most frames a transaction."
    threads: int = Field(default=2, ge=1, le=64)
    "Threads that decode and infer."
    max_pixels: int = Field(default=40_000_000, ge=1)
    "Largest picture that is decoded."


class ModelSettings(Section):
    """Where models are registered."""

    registry: str = "roadwatch-data/registry"
    "A folder, or any fsspec address such as `s3://bucket/models`; while nothing is there, the model that ships serves."
    options: dict[str, str] = {}
    "What the address's file system wants to be told, such as `endpoint_url`; `file:/path` is read from that file."
    poll: SomeTime = timedelta(seconds=30)
    "How often processors look at the registry by themselves; an event on the models topic makes them look at once."


class ArchiveSettings(Section):
    """Where pictures are kept past their topic's retention, and what was asked and labelled."""

    address: str = "roadwatch-data/archive"
    "A folder, or any fsspec address such as `s3://bucket/archive`."
    options: dict[str, str] = {}
    "What the address's file system wants to be told, such as `endpoint_url`; `file:/path` is read from that file."


class MonitorSettings(Section):
    """Windows, joins and rules."""

    group: str = "roadwatch-monitor"
    "The consumer group, which also names its changelog topics; with another kafka.topic_prefix, PREFIX-monitor."
    timezone: Timezone = "UTC"
    "Where a day begins and ends, IANA name."
    lateness: Duration = timedelta(minutes=10)
    "Event time that a day waits after its end for records out of order."
    label_patience: Duration = timedelta(0)
    "Event time that a day waits after its end for its cameras' labels to be complete."
    label_horizon: Duration = timedelta(days=7)
    "How long after a day has closed labels may still change its report, by the log's time."
    revise_every: Duration = timedelta(minutes=1)
    "Late labels of so long make one revision of their day's report, by the log's time."
    label_trust: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    "What a label source's word weighs where sources contradict each other, by source; 1 for those not named."
    passage_timeout: SomeTime = timedelta(seconds=15)
    "Event time without a new frame after which a passage is over."
    silence_after: Duration = timedelta(hours=1)
    "Without a picture of any camera for so long, by the wall clock, an alert is raised; zero for never."
    max_skew: Duration = timedelta(minutes=5)
    "A picture is rejected that was taken this much later than its prediction was logged."
    min_accuracy: float = Field(default=0.6, ge=0, le=1)
    "The day's accuracy below which an alert is raised."
    min_labels: int = Field(default=50, ge=1)
    "Labelled vehicles without which the day's accuracy raises no alert."
    rules_file: Path | None = None
    "A table of rules in TOML; None for the shipped ones."
    data_folder: Path | None = None
    "Where the cameras' state lies, in files without a name; None for the user's cache folder."


class Channel(Section):
    """A channel other than mail, told by Apprise: a chat, a telephone, a webhook."""

    name: ChannelName
    "What subscriptions call it: small letters, digits, hyphens."
    url: SecretStr | None = None
    "Apprise's URL, such as `slack://…`, which holds secrets; better kept in a file."
    url_file: Path | None = Field(default=None, validate_default=True)
    "Holds the URL."

    @field_validator("url_file")
    @classmethod
    def _one_url(cls, url_file: Path | None, info: ValidationInfo) -> Path | None:
        if "url" in info.data and (info.data["url"] is None) == (url_file is None):
            raise ValueError(f"channel {info.data.get('name', '')!r} needs a url or a url_file, and not both")
        return url_file


LONGEST_ESCALATION_HOURS = 90 * 24
"Alerts are kept for so long."


class Subscription(Section):
    """Who gets which alerts."""

    to: Address | None = None
    "The address; None for a channel."
    channel: ChannelName | None = Field(default=None, validate_default=True)
    "A channel's name, as `mail.channels` has it; None for an address."
    min_severity: Severity = "warning"
    "The least severe alert that is mailed."
    cameras: tuple[str, ...] = ()
    "Only alerts of these cameras and of all cameras together; empty for every camera."
    causes: tuple[str, ...] = ()
    "Only alerts with one of these causes, such as `fog`; empty for every alert, also without a cause."
    resolved: bool = False
    "Whether a mail says when an alert is over; digests always do."
    digest: Literal["daily", "weekly"] | None = None
    "All alerts of a day, or of a week, in one mail at `mail.digest_at`; None: each alert at once."
    after_hours: float = Field(default=0, ge=0, le=LONGEST_ESCALATION_HOURS)
    "Only alerts that somebody else was told of so long ago and that nobody has acknowledged since; 0: at once."

    @field_validator("channel")
    @classmethod
    def _one_recipient(cls, channel: str | None, info: ValidationInfo) -> str | None:
        if "to" in info.data and (info.data["to"] is None) == (channel is None):
            raise ValueError("a subscription needs an address (to) or a channel, and not both")
        return channel

    @field_validator("after_hours")
    @classmethod
    def _one_pace(cls, after_hours: float, info: ValidationInfo) -> float:
        if (digest := info.data.get("digest")) and after_hours:
            raise ValueError(
                f"digest is {digest!r} and after_hours is {after_hours:g}: a digest waits for nobody;"
                " make two subscriptions of it"
            )
        return after_hours


class MailSettings(Section):
    """The mailer and its subscriptions."""

    group: str = "roadwatch-mailer"
    "The consumer group; with another kafka.topic_prefix, PREFIX-mailer."
    host: str = "127.0.0.1"
    "The SMTP server."
    port: int = Field(default=1025, ge=1, le=65535)
    "Its port: 587 for STARTTLS, 465 for TLS, as a rule."
    security: Literal["none", "starttls", "tls"] = "none"
    "How the connection is encrypted; a login is refused without."
    username: str | None = None
    "For the login; None for none."
    password: SecretStr | None = None
    "For the login; better kept in a file."
    password_file: Path | None = None
    "Holds the password."
    ca_file: Path | None = None
    "Certificates to trust, PEM, for a server whose own is not publicly signed; None for the system's."
    sender: Address = "roadwatch@localhost"
    "The From address."
    timeout_s: float = Field(default=20, gt=0)
    "For each step of a delivery."
    reminder_days: int = Field(default=7, ge=0)
    "An alert that stays open is mailed again after so many days; 0 for never."
    digest_at: TimeOfDay = time(7)
    "When digests go out, in `monitor.timezone`: the daily ones each day, the weekly ones on Mondays."
    channels: tuple[Channel, ...] = ()
    "Channels other than mail, told by Apprise."
    subscriptions: tuple[Subscription, ...] = (Subscription(to="team@localhost"),)
    "Who gets which alerts."

    @field_validator("username")
    @classmethod
    def _no_login_in_the_clear(cls, username: str | None, info: ValidationInfo) -> str | None:
        if username and info.data.get("security") == "none":
            raise ValueError(
                "there is a login and security is 'none': no password goes in the clear; use 'starttls' or 'tls'"
            )
        return username


class ServiceSettings(Section):
    """What every service does beside its work."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    "The least severe log line that is written."
    log_format: Literal["console", "json"] = "console"
    "For people, or for a log collector."
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    "Prometheus metrics are served here; None for none."
    metrics_host: str = "127.0.0.1"
    "The address that the metrics are served on."
    heartbeat_file: Path | None = None
    "Touched while the service is well, for `roadwatch health`; None for none."


GROUPS = {"processor": "processor", "monitor": "monitor", "mail": "mailer"}
"Sections whose services are a consumer group, and what it is called behind the topics' prefix."


class Settings(BaseSettings):
    """All settings of all services."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid")

    kafka: KafkaSettings = KafkaSettings()
    processor: ProcessorSettings = ProcessorSettings()
    models: ModelSettings = ModelSettings()
    archive: ArchiveSettings = ArchiveSettings()
    monitor: MonitorSettings = MonitorSettings()
    mail: MailSettings = MailSettings()
    service: ServiceSettings = ServiceSettings()
    cameras_file: Path = Path("cameras.toml")
    "Describes cameras and zones."

    @model_validator(mode="before")
    @classmethod
    def _groups_beside_topics(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Services on topics of another prefix are other groups: they would else take the place of those that run."""
        kafka = given.get("kafka", {})
        prefix = kafka.get("topic_prefix") if isinstance(kafka, dict) else getattr(kafka, "topic_prefix", None)
        if not prefix:
            return given
        sections = {name: given.get(name, {}) for name in GROUPS}
        named = {
            name: {"group": f"{prefix}-{GROUPS[name]}", **section}
            for name, section in sections.items()
            if isinstance(section, dict)
        }
        return {**given, **named}


class _Given(Settings):
    """Settings of what is given alone: the environment was read before."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Draft:
    """Settings as far as they are sound."""

    settings: Settings
    "With what stands there if nothing is said, where something faulty is said."
    where: str
    "The file, or the environment, or both: where the faults are."
    faults: tuple[str, ...]
    "Each in a line, of variables with their name; empty where all is sound."

    def sound(self) -> Settings:
        """The settings; raises ConfigurationError naming every fault."""
        if self.faults:
            raise ConfigurationError(self.where, list(self.faults))
        return self.settings


def load_settings(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Settings from a TOML file (default: `roadwatch.toml` if there is one) and the environment, which wins.

    Raises:
        ConfigurationError: names every fault, where it stands and the value seen.

    """
    path = settings_file(file)
    return draft_of(read_toml(path) if path else {}, environment, str(path or ENVIRONMENT)).sound()


def settings_file(file: Path | None) -> Path | None:
    """The file that was named, or `roadwatch.toml` if there is one; None without either."""
    return file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)


def checked_settings(values: Mapping[str, Any], environment: Mapping[str, str], where: str) -> Settings:
    """Settings from values and the environment, which wins; raises ConfigurationError about `where`, naming every fault."""
    return draft_of(values, environment, where).sound()


def draft_of(values: Mapping[str, Any], environment: Mapping[str, str], where: str) -> Draft:
    """Settings from values and the environment, which wins, as far as they are sound."""
    told = Environment(environment, Settings)
    given, unknown = told.over(values), told.unknown()
    try:
        return Draft(_Given(**given), _where(where, [], unknown), tuple(unknown))
    except ValidationError as error:  # holds what was given, which may be secret
        details = error.errors(include_url=False)
    named = [(told.variable_of(detail["loc"]), fault_of(detail, Settings)) for detail in details]
    written = [fault for variable, fault in named if not variable]
    set_there = [*(f"{variable}: {fault}" for variable, fault in named if variable), *unknown]
    sound = _without(given, [detail["loc"] for detail in details])
    return Draft(sound, _where(where, written, set_there), (*written, *set_there))


def _where(file: str, written: Sequence[str], set_there: Sequence[str]) -> str:
    """What faults are in: a file, the environment, or both."""
    if not set_there:
        return file
    return f"{file} and {ENVIRONMENT}" if written and file != ENVIRONMENT else ENVIRONMENT


def _without(given: Mapping[str, Any], places: Sequence[Place]) -> Settings:
    """Settings of what is given but for what is faulty, and but for its whole section where that does not suffice."""
    try:
        return _Given(**without(given, places))
    except ValidationError as error:
        faulty = {place[0] for place in (*places, *(detail["loc"] for detail in error.errors()))}
    return _Given(**{name: value for name, value in given.items() if name not in faulty})


def value_of(text: str) -> str:
    """A setting's value: `file:/path` stands for what that file holds; raises ConfigurationError as `read_secret`."""
    return read_secret(Path(text.removeprefix(FILE_VALUE))) if text.startswith(FILE_VALUE) else text


def read_secret(path: Path) -> str:
    """A secret from its file, without the newline that editors leave.

    Raises:
        ConfigurationError: the file cannot be read.

    """
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise ConfigurationError(str(path), [f"the secret cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError:  # its text holds the secret's bytes
        raise ConfigurationError(str(path), ["the secret cannot be read: it is no text in UTF-8"]) from None
