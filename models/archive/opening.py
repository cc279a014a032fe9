"""The archive and the ledger that the settings name."""

from typing import Final

from models.archive.archive import Archive
from models.archive.ledger import Ledger
from models.files import Owner, open_files, options_of
from runtime.settings import ArchiveSettings
from schemas.errors import ArchiveError

OWNER: Final = Owner("archive", "archive.address", "archive.options", ArchiveError)
ArchiveAndLedger = tuple[Archive, Ledger]
"Both, under one address."


def open_archive(settings: ArchiveSettings) -> ArchiveAndLedger:
    """Return both; nothing is created yet.

    Raises:
        ArchiveError: the address is none.
        ConfigurationError: a secret's file cannot be read.

    """
    files = open_files(settings.address, options_of(settings.address, settings.options), OWNER)
    return Archive(files, settings.address), Ledger(files, settings.address)
