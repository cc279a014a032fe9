"""Files from Maven Central: pinned, checked, whole or not there."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from runtime.jars import Artifact, cache_folder, fetch, pinned, read_list
from schemas.errors import LocalStackError

CONTENT = b"class files" * 20_000


class Repository(SimpleHTTPRequestHandler):
    """A Maven repository out of a folder, which counts what is asked of it and logs nothing."""

    asked: list[str]

    def do_GET(self) -> None:
        """Note the path and send the file."""
        type(self).asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    """A mirror on a free port that serves tmp_path/maven."""
    (tmp_path / "maven").mkdir()
    Repository.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Repository, directory=str(tmp_path / "maven"))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def environment(tmp_path: Path, repository: ThreadingHTTPServer) -> dict[str, str]:
    """A cache in tmp_path, filled from the mirror."""
    return {
        "ROADWATCH_CACHE": str(tmp_path / "cache"),
        "ROADWATCH_MAVEN": f"http://127.0.0.1:{repository.server_port}",
    }


def publish(tmp_path: Path, name: str, content: bytes = CONTENT) -> Artifact:
    """Put a jar into the mirror and give its pin."""
    artifact = Artifact("org.road", name, "1.2", "", "jar", len(content), hashlib.sha256(content).hexdigest())
    path = tmp_path / "maven" / artifact.path
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return artifact


def test_reads_coordinates_with_classifier_and_extension() -> None:
    """A line gives the file's name and its place in a repository."""
    [artifact] = read_list(f"# a comment\n\n{'a' * 64}  12  org.road:app:1.2:all@tar.gz\n")
    assert artifact.file_name == "app-1.2-all.tar.gz"
    assert artifact.path == "org/road/app/1.2/app-1.2-all.tar.gz"
    assert artifact.size_bytes == 12


@pytest.mark.parametrize("line", ["org.road:app:1.2", f"{'a' * 63}  1  g:a:1", f"{'a' * 64}  x  g:a:1", "a b c d"])
def test_a_line_that_is_no_pin_is_refused_with_its_number(line: str) -> None:
    """A list cut or edited by hand is noticed where it is wrong."""
    with pytest.raises(ValueError, match="line 2"):
        read_list(f"#\n{line}")


def test_the_shipped_lists_hold_a_broker_and_its_log() -> None:
    """Each file is pinned once; without the SLF4J binding Kafka logs nothing."""
    names = [artifact.file_name for artifact in pinned("kafka") + pinned("apicurio")]
    assert len(names) == len(set(names)) == 46
    assert {"kafka_2.13-4.4.0.jar", "log4j-slf4j-impl-2.25.5.jar"} <= set(names)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"ROADWATCH_CACHE": "/a/b", "XDG_CACHE_HOME": "/x"}, Path("/a/b")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/roadwatch/jars")),
        ({}, Path.home() / ".cache/roadwatch/jars"),
    ],
)
def test_the_cache_is_where_the_user_says(environment: dict[str, str], folder: Path) -> None:
    """Our own variable first, then the desktop's convention."""
    assert cache_folder(environment) == folder


def test_fetches_only_what_is_missing(tmp_path: Path, environment: dict[str, str]) -> None:
    """A fetch goes on file by file where the one before it stopped."""
    first, second = publish(tmp_path, "first"), publish(tmp_path, "second")
    fetch([first], environment)
    paths = fetch([first, second], environment)
    assert [path.read_bytes() for path in paths] == [CONTENT, CONTENT]
    assert Repository.asked == [f"/{first.path}", f"/{second.path}"]


def test_progress_ends_at_the_total(tmp_path: Path, environment: dict[str, str]) -> None:
    """The bytes told never shrink and end at what was to come."""
    told: list[tuple[int, int]] = []
    artifacts = [publish(tmp_path, name) for name in ("first", "second", "third")]
    fetch(artifacts, environment, lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (3 * len(CONTENT), 3 * len(CONTENT))


@pytest.mark.parametrize("content", [b"evil files!" * 20_000, CONTENT + b"more", CONTENT[:-1]])
def test_a_file_that_is_not_the_pinned_one_is_not_kept(
    tmp_path: Path, environment: dict[str, str], content: bytes
) -> None:
    """Other content, more of it or less of it: an error that names the sum, and an empty cache."""
    artifact = publish(tmp_path, "app")
    (tmp_path / "maven" / artifact.path).write_bytes(content)
    with pytest.raises(LocalStackError, match=artifact.sha256):
        fetch([artifact], environment, pauses_s=[])
    assert list((tmp_path / "cache").glob("*.jar*")) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(tmp_path: Path, environment: dict[str, str]) -> None:
    """What runs is checked at each start, not only when it came."""
    artifact = publish(tmp_path, "app")
    [path] = fetch([artifact], environment)
    path.write_bytes(b"x" * len(CONTENT))
    assert fetch([artifact], environment)[0].read_bytes() == CONTENT


def test_a_file_copied_by_hand_needs_no_network(tmp_path: Path) -> None:
    """The advice of the error message works."""
    artifact = Artifact("org.road", "app", "1.2", "", "jar", 3, hashlib.sha256(b"jar").hexdigest())
    (tmp_path / artifact.file_name).write_bytes(b"jar")
    assert fetch([artifact], {"ROADWATCH_CACHE": str(tmp_path), "ROADWATCH_MAVEN": "http://127.0.0.1:1"})


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    """It names the file, the address, the mirror's setting and the cache folder."""
    artifact = Artifact("org.road", "app", "1.2", "", "jar", 3, "a" * 64)
    environment = {"ROADWATCH_CACHE": str(tmp_path), "ROADWATCH_MAVEN": "http://127.0.0.1:1"}
    with pytest.raises(LocalStackError) as caught:
        fetch([artifact], environment, pauses_s=[0.0])
    for word in ("app-1.2.jar", "http://127.0.0.1:1", "ROADWATCH_MAVEN", str(tmp_path)):
        assert word in str(caught.value)


def test_two_fetches_at_once_share_one_download(tmp_path: Path, environment: dict[str, str]) -> None:
    """The second waits for its turn and finds the files there."""
    artifacts = [publish(tmp_path, name) for name in ("first", "second")]
    threads = [threading.Thread(target=fetch, args=(artifacts, environment)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Repository.asked) == sorted(f"/{artifact.path}" for artifact in artifacts)
