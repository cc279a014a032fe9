"""The compose file and what it mounts, without starting anything: read as Docker Compose reads it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from producers.cameras import load_cameras
from runtime.settings import load_settings

ROOT = Path(__file__).parents[2]
OURS = ("topics", "processor", "shadow", "monitor", "keeper", "mailer", "cameras")
ONE_SHOT = "topics"
UNPINNED = {"axllent/mailpit", "prom/prometheus"}  # keep nothing of ours; the compose file says so beside them


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """All services, those of the profiles too; no engine need run."""
    docker = shutil.which("docker")
    command = [docker or "", "compose", "--profile", "observability", "config", "--format", "json"]
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no `docker compose` here to read the file with")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_every_service_has_a_health_check(services: dict[str, Any], dockerfile: str) -> None:
    """Our own services inherit the image's; the one that only creates topics ends instead."""
    without = {name for name, service in services.items() if not service.get("healthcheck")}
    assert without == set(OURS) - {ONE_SHOT}
    assert re.search(r"^HEALTHCHECK ", dockerfile, re.MULTILINE)


def test_ports_are_open_on_this_machine_only(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_our_services_run_with_the_least_rights(services: dict[str, Any], dockerfile: str) -> None:
    assert re.search(r"^USER \d+:\d+$", dockerfile, re.MULTILINE)
    for name in OURS:
        service = services[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_images_that_carry_data_are_pinned(services: dict[str, Any]) -> None:
    images = {services[name]["image"] for name in services if name not in OURS}
    for image in images:
        repository, _, tag = image.partition(":")
        assert repository in UNPINNED or tag not in ("", "latest"), image


def test_services_start_once_what_they_need_is_there(services: dict[str, Any]) -> None:
    for name in set(OURS) - {ONE_SHOT}:
        assert services[name]["depends_on"][ONE_SHOT]["condition"] == "service_completed_successfully"
    waits = services[ONE_SHOT]["depends_on"]
    assert {waits[name]["condition"] for name in ("kafka", "registry")} == {"service_healthy"}


def test_every_service_has_a_bound_on_its_memory(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if not _memory_limit(service)] == []


def _memory_limit(service: dict[str, Any]) -> int:
    return int(service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory", 0))


def test_the_environment_of_our_services_is_understood(services: dict[str, Any]) -> None:
    """Every ROADWATCH_ variable is a setting that exists, and the records are framed for the registry."""
    settings = load_settings(ROOT / "deploy" / "roadwatch.toml", services["mailer"]["environment"])
    assert settings.kafka.bootstrap_servers == "kafka:19092"
    assert settings.kafka.schema_registry is not None
    assert settings.kafka.schema_registry.url == "http://registry:8080/apis/ccompat/v7"
    assert (settings.mail.host, settings.mail.port) == ("mailpit", 1025)


@pytest.mark.parametrize(
    ("setting", "volume", "names"),
    [
        ("ROADWATCH_MODELS__REGISTRY", "model-registry", ("processor", "shadow", "keeper")),
        ("ROADWATCH_ARCHIVE__ADDRESS", "archive", ("keeper",)),
    ],
)
def test_what_services_share_lies_on_a_volume(
    services: dict[str, Any], dockerfile: str, setting: str, volume: str, names: tuple[str, ...]
) -> None:
    """A volume takes on the image's owner of the folder, so that `run keeper models ...` can write to it."""
    for name in names:
        folder = services[name]["environment"][setting]
        volumes = {each["target"]: each for each in services[name]["volumes"]}
        assert (volumes[folder]["type"], volumes[folder]["source"]) == ("volume", volume), name
        assert not volumes[folder].get("read_only")
        assert re.search(rf"--owner=roadwatch.* {folder}\b", dockerfile)


def test_no_secret_stands_in_the_compose_file(services: dict[str, Any]) -> None:
    names = {name for service in services.values() for name in (service.get("environment") or {})}
    assert not [name for name in names if re.search("PASSWORD|SECRET|TOKEN", name)]


def test_the_simulated_cameras_send_their_labels() -> None:
    cameras = load_cameras(ROOT / "deploy" / "cameras.toml")
    assert len(cameras) == 4
    assert all(camera.kind == "simulator" and camera.simulator.truth for camera in cameras)


def test_the_image_is_built_from_the_versions_that_are_tested() -> None:
    """The lock of the image is a part of the lock of the development environment."""
    image, development = (_pins(ROOT / name) for name in ("requirements-runtime.lock", "requirements.lock"))
    assert image <= development
    assert _pins(ROOT / "deploy" / "build.lock") <= development


def _pins(lock: Path) -> set[str]:
    return set(re.findall(r"^([\w.-]+==[^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_dashboard_shows_metrics_that_the_services_have() -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/roadwatch.json").read_text(encoding="utf-8"))
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    code = "".join(
        file.read_text(encoding="utf-8")
        for folder in ("producers", "processors", "monitor")
        for file in (ROOT / folder).rglob("*.py")
    )
    for metric in set(re.findall(r"roadwatch_\w+", asked)):
        assert f'"{metric.removesuffix("_bucket")}"' in code, metric
