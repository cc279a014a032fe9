"""librdkafka's properties, as Faust's client understands them."""

import pytest

from monitor.security import credentials
from schemas.errors import ConfigurationError


def test_a_plain_connection_needs_no_credentials() -> None:
    """Tuning properties have no effect and do no harm."""
    assert credentials({"socket.keepalive.enable": "true"}) is None


def test_a_login_is_carried_over() -> None:
    """User, password, mechanism, and TLS where it is asked for."""
    found = credentials(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "SCRAM-SHA-512",
            "sasl.username": "monitor",
            "sasl.password": "hush",
        }
    )
    assert found is not None
    assert (found.protocol.value, found.mechanism.value, found.username) == ("SASL_SSL", "SCRAM-SHA-512", "monitor")
    assert "hush" not in repr(found)


def test_all_that_cannot_be_honoured_is_named_at_once() -> None:
    """Never ignored: somebody relies on it."""
    with pytest.raises(ConfigurationError) as caught:
        credentials({"ssl.pkcs11.uri": "x", "security.protocol": "SASL_SSL", "sasl.mechanism": "GSSAPI"})
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["ssl.pkcs11.uri", "sasl.mechanism"]
