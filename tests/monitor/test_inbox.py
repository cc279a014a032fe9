"""The local inbox: each mail a file, whole, in order."""

import smtplib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue

import pytest

from monitor.inbox import LARGEST_MAIL, Inbox, KeptMail, keep, read_mails
from monitor.mail import compose
from monitor.smtp import SmtpServer, SmtpTransport
from schemas.errors import ConfigurationError, MailError
from tests.support.alerts import NOON, alert

SENDER, TEAM = "roadwatch@example.com", "team@example.com"


def send(inbox: Inbox, title: str = "fog") -> None:
    mail = compose(alert(title=title), SENDER, TEAM, at=NOON, timezone="UTC")
    SmtpTransport(SmtpServer("127.0.0.1", inbox.port)).send(mail, SENDER, TEAM)


def test_a_mail_is_kept_and_read_back(tmp_path: Path) -> None:
    """Headers and both parts are there."""
    with Inbox(tmp_path / "new" / "folder") as inbox:
        send(inbox, "Nebel über der Brücke")
    (mail,) = read_mails(tmp_path / "new" / "folder")
    assert (mail.recipient, mail.subject) == (TEAM, "[Roadwatch] critical: Nebel über der Brücke")
    assert "What to do" in mail.text
    assert mail.html.startswith("<!DOCTYPE html>")


def test_mails_are_read_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    """File names sort by time."""
    with Inbox(tmp_path) as inbox:
        for title in ("first", "second", "third"):
            send(inbox, title)
    assert [mail.subject.rpartition(" ")[2] for mail in read_mails(tmp_path)] == ["first", "second", "third"]


def test_the_callback_gets_each_mail(tmp_path: Path) -> None:
    """A demo can show a mail the moment it comes."""
    shown: Queue[KeptMail] = Queue()
    with Inbox(tmp_path, on_mail=shown.put) as inbox:
        send(inbox)
        assert shown.get(timeout=10).subject == "[Roadwatch] critical: fog"


def test_a_mail_over_the_limit_is_refused(tmp_path: Path) -> None:
    """Nobody fills the disk with one mail."""
    mail = compose(alert(summary="x" * LARGEST_MAIL), SENDER, TEAM, at=NOON, timezone="UTC")
    with Inbox(tmp_path) as inbox, pytest.raises(MailError):
        SmtpTransport(SmtpServer("127.0.0.1", inbox.port)).send(mail, SENDER, TEAM)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """The message names the port."""
    with Inbox(tmp_path) as first, pytest.raises(ConfigurationError, match=str(first.port)):
        Inbox(tmp_path, first.port).start()


def test_a_folder_that_cannot_be_made_is_told_and_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="the folder cannot be made: Not a directory") as told:
        Inbox(tmp_path / "file" / "inbox").start()
    assert "port" not in str(told.value).removeprefix(str(tmp_path))


def test_a_stopped_inbox_takes_nothing(tmp_path: Path) -> None:
    """After stop the port is free; a second stop does no harm."""
    inbox = Inbox(tmp_path)
    inbox.start()
    port = inbox.port
    inbox.stop()
    inbox.stop()
    with pytest.raises(OSError, match="refused"):
        smtplib.SMTP("127.0.0.1", port, timeout=5)


def test_unfinished_files_are_not_read(tmp_path: Path) -> None:
    """A kill in the middle of a write leaves no half mail."""
    (tmp_path / ".2026-11-23.part").write_bytes(b"Subject: half")
    assert list(read_mails(tmp_path)) == []


def test_mails_of_the_same_instant_have_files_of_their_own(tmp_path: Path) -> None:
    """Neither overwrites the other."""
    assert len({keep(tmp_path, b"a", NOON), keep(tmp_path, b"b", NOON)}) == 2


def test_file_names_sort_by_time(tmp_path: Path) -> None:
    """Across midnight and within a second."""
    times = [datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC) + timedelta(milliseconds=n * 600) for n in range(4)]
    names = [keep(tmp_path, b"", at).name for at in times]
    assert names == sorted(names)


def test_a_foreign_mail_with_an_unknown_charset_is_still_listed(tmp_path: Path) -> None:
    """What cannot be decoded is empty, and no error."""
    keep(tmp_path, b"Subject: odd\r\nContent-Type: text/plain; charset=klingon\r\n\r\nqapla\r\n", NOON)
    (mail,) = read_mails(tmp_path)
    assert mail.subject == "odd"


def test_a_missing_folder_has_no_mails(tmp_path: Path) -> None:
    """The folder need not exist before the first mail."""
    assert list(read_mails(tmp_path / "nowhere")) == []
