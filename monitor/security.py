"""librdkafka's properties in the words of Faust's client: what cannot be said there is refused, never ignored."""

import ssl
from collections.abc import Mapping
from typing import Any

from faust import SASLCredentials, SSLCredentials

from schemas.errors import ConfigurationError

HONOURED = frozenset(
    {
        "security.protocol",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
        "enable.ssl.certificate.verification",
    }
)

# How librdkafka's other clients here are tuned; Faust's client has its own ways.
WITHOUT_EFFECT_PREFIXES = (
    "socket.",
    "reconnect.",
    "retry.",
    "statistics.",
    "log",
    "debug",
    "queue.",
    "fetch.",
    "message.",
    "compression.",
    "linger.",
    "batch.",
    "client.",
    "metadata.",
    "topic.metadata.",
    "broker.address.",
    "connections.",
    "api.version.",
    "partitioner",
)

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


def credentials(properties: Mapping[str, str]) -> SASLCredentials | SSLCredentials | None:
    """Faust's credentials for librdkafka's properties; None for a plain connection.

    Raises:
        ConfigurationError: a property asks for what Faust's client cannot do.

    """
    faults = [*_unknown(properties), *_impossible(properties)]
    if faults:
        raise ConfigurationError("kafka.properties, for the monitor", faults)
    protocol = _protocol(properties)
    context = _context(properties) if protocol.endswith("SSL") else None
    if protocol.startswith("SASL"):
        return _sasl(properties, context)
    return SSLCredentials(context) if context else None


def _unknown(properties: Mapping[str, str]) -> list[str]:
    strangers = (name for name in properties if name not in HONOURED and not name.startswith(WITHOUT_EFFECT_PREFIXES))
    return [f"{name}: the monitor's Kafka client has no such property; remove it" for name in sorted(strangers)]


def _impossible(properties: Mapping[str, str]) -> list[str]:
    protocol, mechanism = _protocol(properties), _mechanism(properties)
    faults = []
    if protocol not in PROTOCOLS:
        faults.append(f"security.protocol: {protocol!r} is none of {', '.join(PROTOCOLS)}")
    if protocol.startswith("SASL") and mechanism not in MECHANISMS:
        faults.append(f"sasl.mechanism: the monitor knows {', '.join(MECHANISMS)}, not {mechanism!r}")
    return faults


def _protocol(properties: Mapping[str, str]) -> str:
    return properties.get("security.protocol", "PLAINTEXT").upper()


def _mechanism(properties: Mapping[str, str]) -> str:
    return properties.get("sasl.mechanism", properties.get("sasl.mechanisms", "PLAIN")).upper()


def _sasl(properties: Mapping[str, str], context: ssl.SSLContext | None) -> SASLCredentials:
    return SASLCredentials(
        username=properties.get("sasl.username"),
        password=properties.get("sasl.password"),
        mechanism=_mechanism(properties),
        ssl_context=context,
    )


def _context(properties: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=properties.get("ssl.ca.location"))
        _load_own_certificate(context, properties)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("kafka.properties, for the monitor", [f"ssl.*.location: {error}"]) from error
    context.check_hostname = properties.get("ssl.endpoint.identification.algorithm", "https") != "none"
    if properties.get("enable.ssl.certificate.verification", "true") == "false":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _load_own_certificate(context: Any, properties: Mapping[str, str]) -> None:
    certificate = properties.get("ssl.certificate.location")
    if certificate:
        context.load_cert_chain(certificate, properties.get("ssl.key.location"), properties.get("ssl.key.password"))
