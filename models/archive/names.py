"""Names of the archive's files: readable, and safe whatever a camera is called. Pure.

gate:2026-11-23T05:06:00Z:p120    examples/gate%3A2026-11-23T05%3A06%3A00Z%3Ap120.json
its frame …:123                   pictures/2026-11-23/gate/2026-11-23T05_06_00Z_123-9f86d081884c7d65.jpg
"""

import hashlib
import re
from typing import Final
from urllib.parse import quote, unquote

LONGEST: Final = 180
"Of a file's name, its ending apart: file systems take 255 bytes, and a draft's name is longer."
UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
PICTURE: Final = re.compile(r"pictures/\d{4}-\d\d-\d\d(/[A-Za-z0-9_-][A-Za-z0-9._-]*){2}\.jpg")
"A picture's name: no part of it leads out of its folder."


def sha256_of(content: bytes) -> str:
    """Return the checksum, in hex."""
    return hashlib.sha256(content).hexdigest()


def index_name(example_id: str) -> str:
    """Return an example's file name, from which its id can be read; of very long ids, `~` and a checksum end it."""
    name = re.sub(r"^\.", "%2E", quote(example_id, safe="").replace("~", "%7E"))
    return f"{name}.json" if len(name) <= LONGEST else f"{name[: LONGEST // 2]}~{sha256_of(example_id.encode())}.json"


def id_of(name: str) -> str | None:
    """Return the id that an example's file name tells; None where it holds a checksum, or is no example's."""
    text = unquote(name.removesuffix(".json"))
    return text if name == index_name(text) else None


def picture_name(day: str, camera_id: str, frame_id: str, sha256: str) -> str:
    """Return a picture's name; it follows from its content too, so that no other is ever in its place."""
    rest = UNSAFE.sub("_", frame_id.removeprefix(f"{camera_id}:"))[-LONGEST // 2 :]
    return f"pictures/{day}/{_folder(camera_id)}/{rest.lstrip('.')}-{sha256[:16]}.jpg"


def _folder(camera_id: str) -> str:
    """A camera's folder: its id, or what is safe of it with a checksum."""
    safe = UNSAFE.sub("_", camera_id)[: LONGEST // 2]
    return safe if safe == camera_id and safe[:1] not in ("", ".") else f"_{safe}-{sha256_of(camera_id.encode())[:8]}"
