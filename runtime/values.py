"""What values of settings may be, where their type does not say it: each with what is wrong with others, in words."""

import re
from datetime import time
from email.utils import parseaddr
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

HIGHEST_PORT: Final = 65_535
SERVER: Final = re.compile(r"(?:[A-Za-z_]+://)?(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?", re.ASCII)
"One of `bootstrap_servers`, as librdkafka reads it: the port may be left out."
PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{0,100}")
"Kafka's letters; the names behind it come on top, and 249 are its most."
CHANNEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone {name!r}; use an IANA name such as 'Europe/Berlin'") from error
    return name


def _servers(text: str) -> str:
    for server in text.split(","):
        found = SERVER.fullmatch(server.strip())
        if found is None or not 0 < int(found[1] or HIGHEST_PORT) <= HIGHEST_PORT:
            raise ValueError(f"{server.strip()!r} is no host:port; write 'kafka:9092', several with commas")
    return text


def _web_address(text: str) -> str:
    if not all(_is_web_address(url.strip()) for url in text.split(",")):
        raise ValueError("no address of the web, such as 'http://registry:8080/apis/ccompat/v7'")
    return text


def _is_web_address(url: str) -> bool:
    try:
        found = urlsplit(url)
        host = (found.hostname or "").encode("idna")
        return (
            found.scheme in {"http", "https"}
            and bool(host)
            and found.port != 0
            and url.isprintable()
            and " " not in url
        )
    except ValueError:  # a port that is no number, or a name that is none
        return False


def _topic_prefix(text: str) -> str:
    if not PREFIX.fullmatch(text):
        raise ValueError("topics are named with letters, digits, '.', '_' and '-'; 100 characters at most")
    return text


def _address(text: str) -> str:
    if "://" in text:  # not said: Apprise's hold secrets
        raise ValueError("a URL is no mail address; name it under mail.channels, and give its name as channel")
    _, address = parseaddr(text)
    name, at, domain = address.partition("@")
    if not (name and at and domain) or not text.isprintable():
        raise ValueError(f"{text!r} is no mail address, such as 'team@example.org'")
    return text


def _channel_name(text: str) -> str:
    if not CHANNEL.fullmatch(text):  # not said: somebody may have put its URL there
        raise ValueError("channels are named with small letters, digits and hyphens; 64 at most")
    return text


def _without_offset(at: time) -> time:
    if at.tzinfo is not None:
        raise ValueError("a time of day in monitor.timezone has no offset; write '07:00'")
    return at


Timezone = Annotated[str, AfterValidator(_timezone)]
Servers = Annotated[str, AfterValidator(_servers)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
TopicPrefix = Annotated[str, AfterValidator(_topic_prefix)]
Address = Annotated[str, AfterValidator(_address)]
ChannelName = Annotated[str, AfterValidator(_channel_name)]
TimeOfDay = Annotated[time, AfterValidator(_without_offset)]
