"""Every setting, read once at the entrance, from a TOML file and the environment.

    roadwatch.toml            [kafka] bootstrap_servers = "kafka:9092"
    environment               ROADWATCH_KAFKA__BOOTSTRAP_SERVERS=kafka:9092     wins over the file
    a file for each secret    [mail] password_file = "/run/secrets/smtp"        never in logs

All faults of a configuration are reported at once, as a ConfigurationError.
"""

import tomllib
from collections.abc import Mapping
from datetime import time, timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from schemas.errors import ConfigurationError
from schemas.records import Severity
from schemas.topics import Names

ENVIRONMENT_PREFIX = "ROADWATCH_"
DEFAULT_FILE = Path("roadwatch.toml")
FILE_VALUE = "file:"


class Section(BaseModel):
    """A section of the settings: frozen, and refusing names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone {name!r}; use an IANA name such as 'Europe/Berlin'") from error
    return name


class RegistrySettings(Section):
    """A Schema Registry that speaks Confluent's API."""

    url: str
    "Such as `http://registry:8080/apis/ccompat/v7`."
    username: str | None = None
    "For basic authentication; None for none."
    password_file: Path | None = None
    "Holds the password."


class KafkaSettings(Section):
    """The cluster, and how its topics are laid out."""

    bootstrap_servers: str = "127.0.0.1:9092"
    "`host:port`, several with commas."
    properties: dict[str, str] = {}
    "Any librdkafka property, such as `security.protocol`; a value `file:/path` is read from that file."
    topic_prefix: str = "roadwatch"
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
    poll: timedelta = timedelta(seconds=30)
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
    timezone: Annotated[str, AfterValidator(_known_timezone)] = "UTC"
    "Where a day begins and ends, IANA name."
    lateness: timedelta = timedelta(minutes=10)
    "Event time that a day waits after its end for records out of order."
    label_patience: timedelta = timedelta(0)
    "Event time that a day waits after its end for its cameras' labels to be complete."
    label_horizon: timedelta = timedelta(days=7)
    "How long after a day has closed labels may still change its report, by the log's time."
    revise_every: timedelta = timedelta(minutes=1)
    "Late labels of so long make one revision of their day's report, by the log's time."
    label_trust: dict[str, float] = {}
    "What a label source's word weighs where sources contradict each other, by source; 1 for those not named."
    passage_timeout: timedelta = timedelta(seconds=15)
    "Event time without a new frame after which a passage is over."
    silence_after: timedelta = timedelta(hours=1)
    "Without a picture of any camera for so long, by the wall clock, an alert is raised; zero for never."
    max_skew: timedelta = timedelta(minutes=5)
    "A picture is rejected that was taken this much later than its prediction was logged."
    min_accuracy: float = Field(default=0.6, ge=0, le=1)
    "The day's accuracy below which an alert is raised."
    min_labels: int = Field(default=50, ge=1)
    "Labelled vehicles without which the day's accuracy raises no alert."
    rules_file: Path | None = None
    "A table of rules in TOML; None for the shipped ones."
    data_folder: Path | None = None
    "Where the cameras' state lies, in files without a name; None for the user's cache folder."


def _address(text: str) -> str:
    if "://" in text:  # not said: Apprise's hold secrets
        raise ValueError("a URL is no mail address; name it under mail.channels, and give its name as channel")
    _, address = parseaddr(text)
    name, at, domain = address.partition("@")
    if not (name and at and domain) or not text.isprintable():
        raise ValueError(f"{text!r} is no mail address, such as 'team@example.org'")
    return text


Address = Annotated[str, AfterValidator(_address)]


def _without_offset(at: time) -> time:
    if at.tzinfo is not None:
        raise ValueError("a time of day in monitor.timezone has no offset; write '07:00'")
    return at


TimeOfDay = Annotated[time, AfterValidator(_without_offset)]


ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class Channel(Section):
    """A channel other than mail, told by Apprise: a chat, a telephone, a webhook."""

    name: ChannelName
    "What subscriptions call it: small letters, digits, hyphens."
    url: SecretStr | None = None
    "Apprise's URL, such as `slack://…`, which holds secrets; better kept in a file."
    url_file: Path | None = None
    "Holds the URL."

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError(f"channel {self.name!r} needs a url or a url_file, and not both")
        return self


LONGEST_ESCALATION_HOURS = 90 * 24
"Alerts are kept for so long."


class Subscription(Section):
    """Who gets which alerts."""

    to: Address | None = None
    "The address; None for a channel."
    channel: ChannelName | None = None
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

    @model_validator(mode="after")
    def _one_recipient_at_one_pace(self) -> Self:
        if (self.to is None) == (self.channel is None):
            raise ValueError("a subscription needs an address (to) or a channel, and not both")
        if self.digest and self.after_hours:
            raise ValueError(
                f"digest is {self.digest!r} and after_hours is {self.after_hours:g}: a digest waits for nobody;"
                " make two subscriptions of it"
            )
        return self


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

    @model_validator(mode="after")
    def _no_login_in_the_clear(self) -> Self:
        if self.username and self.security == "none":
            raise ValueError(
                "username is set and security is 'none': a password is not sent in the clear; use 'starttls' or 'tls'"
            )
        return self


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

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )

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
        prefix = kafka.get("topic_prefix") if isinstance(kafka, dict) else kafka.topic_prefix
        if not prefix:
            return given
        sections = {name: given.get(name, {}) for name in GROUPS}
        named = {
            name: {"group": f"{prefix}-{GROUPS[name]}", **section}
            for name, section in sections.items()
            if isinstance(section, dict)
        }
        return {**given, **named}


class _GivenEnvironment(EnvSettingsSource):
    """The environment as a parameter, not as a global."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environment.items()}


def load_settings(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Settings from a TOML file (default: `roadwatch.toml` if there is one) and the environment, which wins.

    Raises:
        ConfigurationError: names every fault, where it stands and the value seen.

    """
    path = file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    return checked_settings(_read_toml(path) if path else {}, environment, str(path or "environment"))


def checked_settings(values: Mapping[str, Any], environment: Mapping[str, str], where: str) -> Settings:
    """Settings from values and the environment, which wins; raises ConfigurationError about `where`, naming every fault."""

    class _Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (_GivenEnvironment(environment), init_settings)

    try:
        return _Loaded(**values)
    except ValidationError as error:
        raise ConfigurationError(where, faults_of(error)) from error
    except SettingsError as error:  # its cause holds what was given, which may be secret
        raise ConfigurationError(where, [f"{error}; lists and tables are given as JSON"]) from None


def faults_of(error: ValidationError) -> list[str]:
    """Each fault that pydantic found, in a line: where, what, and the value seen unless it is secret."""
    return [_fault(detail["loc"], detail["msg"], detail.get("input")) for detail in error.errors()]


def _fault(where: tuple[int | str, ...], message: str, value: object) -> str:
    name = ".".join(map(str, where)) or "settings"
    shown = "" if _is_secret(name, value) else f" (seen: {value!r})"
    return f"{name}: {message.removeprefix('Value error, ')}{shown}"


def _is_secret(name: str, value: object) -> bool:
    """Passwords, channels' URLs wherever somebody put them, and tables, which may hold either."""
    url = isinstance(value, str) and "://" in value and name.startswith("mail.")
    return "password" in name or "channel" in name or url or isinstance(value, dict)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(str(path), ["no such file"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(path), [f"not TOML: {error}"]) from error


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
