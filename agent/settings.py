"""What an operator sets of an agent: a YAML file, KAGENT_* variables, command-line options; the later wins.

Owns names, defaults and checks. The file's keys and the variables' names are the fields below (`KAGENT_NODE_ADDRESS` for
`node_address`). Secrets are no settings: the token comes from KAGENT_JOIN, a file or stdin, the key lies in the data folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from agent import devices
from agent.lifecycle import pressure
from common.errors import Invalid
from common.objects import quantity

FILE_MOST_BYTES = 1 << 20
MAPS = ("labels", "resources", "reserved")
RESERVABLE = ("cpu", "memory", "ephemeral-storage")
QUANTITIES = ("cpu", "memory", "pods", "container_log_max_size")
RUNTIMES = ("containerd", "docker", "hollow")
ENDPOINTS = {"docker": "unix:///run/docker.sock"}
"""Where a runtime listens if nothing else is said; containerd's is the setting's default."""
_NODE_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
_BRIDGE = re.compile(r"^[a-z0-9][a-z0-9._-]{0,14}$")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """node_name "": the host's name. node_address "": the address of the default route's interface. cpu, memory, pods: stated
    capacity, as quantities; "" is what the host has. resources: docs/node-resources.md; reserved: not for pods. pod_max_pids:
    processes of one pod, 0 for no limit. hollow: how many hosts to play, named NODE_NAME-0 and so on (NODE_NAME itself if it is one).
    prefer_local_images: an image that is here is used even if its policy is Always. run_dir: on a tmpfs, for Secrets in volumes.
    cni_config_dir "": no network configuration is written. bridge: a link's name, unique among the clusters on a host.
    pull_progress_s: a pull of which nothing comes for so long is given up. runtime_endpoint: Docker's default is its own socket.
    sandbox_image: of Docker's pause containers; containerd has a setting of its own. image_…: docs/images.md; eviction_…:
    docs/node-pressure.md."""

    data_dir: str = "/var/lib/kagent"
    run_dir: str = "/run/kagent"
    node_name: str = ""
    node_address: str = ""
    labels: dict[str, str] = {}
    runtime: str = "containerd"
    runtime_endpoint: str = "unix:///run/containerd/containerd.sock"
    sandbox_image: str = "registry.k8s.io/pause:3.9"
    hollow: int = 0
    cpu: str = ""
    memory: str = ""
    pods: str = "110"
    resources: dict[str, str | int] = {}
    reserved: dict[str, str] = {}
    pod_max_pids: int = 0
    log_root: str = "/var/log/pods"
    cgroup_root: str = "/steersman"
    cni_config_dir: str = "/etc/cni/net.d"
    bridge: str = "steer0"
    mtu: int = 0
    routes: bool = True
    parallel_starts: int = 16
    parallel_pulls: int = 3
    pull_progress_s: float = 300.0
    image_gc_high_threshold_percent: int = 85
    image_gc_low_threshold_percent: int = 80
    image_minimum_gc_age_s: float = 120.0
    image_maximum_gc_age_s: float = 0.0
    image_gc_period_s: float = 300.0
    image_credential_provider_config: str = ""
    image_credential_provider_bin_dir: str = ""
    prefer_local_images: bool = False
    node_status_s: float = 5.0
    eviction_hard: str = "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,pid.available<5%"
    eviction_pressure_transition_s: float = 300.0
    container_log_max_size: str = "10Mi"
    container_log_max_files: int = 5
    log_level: str = "info"


def load(*, file: Path | None, environment: Mapping[str, str], options: Mapping[str, object]) -> Settings:
    """Raises Invalid with one sentence that names the setting."""
    values: dict[str, object] = {}
    if file is not None:
        values.update(_from_file(file))
    values.update(_from_environment(environment))
    values.update({name: value for name, value in options.items() if value is not None})
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"agent settings: {error}") from None
    if "runtime_endpoint" not in values:
        settings = msgspec.structs.replace(settings, runtime_endpoint=ENDPOINTS.get(settings.runtime, settings.runtime_endpoint))
    return _checked(settings)


def _from_file(file: Path) -> dict[str, object]:
    try:
        if file.stat().st_size > FILE_MOST_BYTES:
            raise Invalid(f"{file}: larger than {FILE_MOST_BYTES} bytes")
        found = yaml.safe_load(file.read_text())
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{file}: not YAML: {error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Invalid(f"{file}: must be a map of settings")
    # A capacity of plain digits is a number in YAML and a quantity here.
    return {str(key): str(value) if key in QUANTITIES and isinstance(value, int | float) else value for key, value in found.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in Settings.__struct_fields__:
        text = environment.get(f"KAGENT_{name.upper()}")
        if text is None or text == "":
            continue
        found[name] = dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair) if name in MAPS else text
    return found


def _checked(settings: Settings) -> Settings:
    def need(good: object, setting: str, why: str) -> None:
        if not good:
            raise Invalid(f"agent settings: {setting}: {why}")

    need(settings.runtime in RUNTIMES, "runtime", f"{settings.runtime!r} is none of {', '.join(RUNTIMES)}")
    need(not settings.node_name or _NODE_NAME.match(settings.node_name), "node_name", f"{settings.node_name!r} is not a DNS name")
    need(_BRIDGE.match(settings.bridge), "bridge", f"{settings.bridge!r} is not a link's name of at most 15 characters")
    need(0 <= settings.hollow <= 10000, "hollow", "must be from 0 to 10000")
    need(settings.pod_max_pids >= 0, "pod_max_pids", "must not be negative")
    need(1 <= settings.parallel_starts <= 256, "parallel_starts", "must be from 1 to 256")
    need(1 <= settings.parallel_pulls <= 64, "parallel_pulls", "must be from 1 to 64")
    try:
        pressure.parse(settings.eviction_hard)
    except ValueError as error:
        raise Invalid(f"agent settings: eviction_hard: {error}") from None
    need(settings.eviction_pressure_transition_s >= 0, "eviction_pressure_transition_s", "must be at least 0")
    need(settings.pull_progress_s >= 1, "pull_progress_s", "must be at least 1")
    low, high = settings.image_gc_low_threshold_percent, settings.image_gc_high_threshold_percent
    need(0 <= high <= 100, "image_gc_high_threshold_percent", "must be from 0 to 100")
    need(0 <= low <= high, "image_gc_low_threshold_percent", f"must be from 0 to image_gc_high_threshold_percent ({high})")
    need(settings.image_minimum_gc_age_s >= 0, "image_minimum_gc_age_s", "must not be negative")
    oldest = settings.image_maximum_gc_age_s
    need(oldest == 0 or oldest > settings.image_minimum_gc_age_s, "image_maximum_gc_age_s", "must be 0, or above image_minimum_gc_age_s")
    need(settings.image_gc_period_s >= 1, "image_gc_period_s", "must be at least 1")
    need(settings.container_log_max_size, "container_log_max_size", "must be above 0")
    need(settings.container_log_max_files >= 2, "container_log_max_files", "must be at least 2")
    need(settings.node_status_s > 0, "node_status_s", "must be above 0")
    for name, text in settings.resources.items():
        need(quantity.is_extended(name), "resources", f"{name!r} is not DOMAIN/NAME outside kubernetes.io")
        try:
            devices.units(text)
        except ValueError as error:
            raise Invalid(f"agent settings: resources: {name}: {error}") from None
    for name, text in settings.reserved.items():
        need(name in RESERVABLE, "reserved", f"{name!r} is none of {', '.join(RESERVABLE)}")
        try:
            need(quantity.of(name, text) >= 0, "reserved", f"{name}: {text!r} must not be negative")
        except ValueError as error:
            raise Invalid(f"agent settings: reserved: {name}: {error}") from None
    for name in QUANTITIES:
        text = getattr(settings, name)
        try:
            good = not text or quantity.of(name, text) > 0
        except ValueError as error:
            raise Invalid(f"agent settings: {name}: {error}") from None
        need(good, name, f"{text!r} must be above 0")
    return settings
