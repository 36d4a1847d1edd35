"""`registries.yaml` as containerd reads it: a folder for each registry with a `hosts.toml`, below its `config_path`, looked at on each
pull.

Owns these files, which say at their head whose they are. A file that does not is somebody else's and stays as it is; those that are
no longer wanted go. Passwords are not in them: they go with each pull.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from agent.images.reference import DEFAULT_HOST
from agent.images.registries import ANY, API, HUB_SERVER, Endpoint, Registries, Tls

MARK = "# Made by kagent of cluster {cluster} from its registries.yaml, and remade when that changes."
HOSTS_FILE = "hosts.toml"
ANY_FOLDER = "_default"


def write(config_path: str, registries: Registries, cluster: str) -> tuple[str, ...]:
    """Raises OSError. What could not be done, in words."""
    wanted = files(registries)
    if not config_path:
        if not wanted:
            return ()
        remedy = '[plugins."io.containerd.grpc.v1.cri".registry] config_path = "/etc/containerd/certs.d"'
        return (f"mirrors and tls have no effect: containerd has no config_path for registries; set {remedy} and restart it",)
    folder, mark, trouble = Path(config_path.split(":")[0]), MARK.format(cluster=cluster), []
    for name, content in wanted.items():
        path = folder / name / HOSTS_FILE
        if _first_line(path) not in ("", mark):
            trouble.append(f"{path} is not ours and stays as it is")
            continue
        _replace(path, f"{mark}\n{content}")
    for path in folder.glob(f"*/{HOSTS_FILE}"):
        if path.parent.name not in wanted and _first_line(path) == mark:
            path.unlink()
            _remove_if_empty(path.parent)
    return tuple(trouble)


def files(registries: Registries) -> dict[str, str]:
    """Each folder's name and its file's content."""
    found = {}
    hosts = [*registries.mirrors, *(host for host in registries.tls if host not in registries.mirrors)]
    for host in dict.fromkeys(hosts):
        own = Endpoint("https", HUB_SERVER if host == DEFAULT_HOST else host)
        endpoints = [*registries.mirrors.get(host, () if host == ANY else registries.mirrors.get(ANY, ()))]
        lines = [] if host == ANY else [f"server = {_text(own.url)}"]
        if host in registries.tls and own.host not in [each.host for each in endpoints]:
            endpoints.append(own)
        for endpoint in dict.fromkeys(endpoints):
            lines += ["", f"[host.{_text(endpoint.url)}]", '  capabilities = ["pull", "resolve"]']
            lines += [] if endpoint.path == API else ["  override_path = true"]
            lines += _tls(registries.tls.get(endpoint.host) or registries.tls.get(host if endpoint == own else "") or Tls())
        found[ANY_FOLDER if host == ANY else host] = "\n".join(lines) + "\n"
    return found


def _tls(tls: Tls) -> list[str]:
    lines = [f"  ca = {_text(tls.ca_file)}"] if tls.ca_file else []
    lines += [f"  client = [[{_text(tls.cert_file)}, {_text(tls.key_file)}]]"] if tls.cert_file else []
    return lines + (["  skip_verify = true"] if tls.insecure_skip_verify else [])


def _text(value: str) -> str:
    """TOML's basic strings are JSON's."""
    return json.dumps(value)


def _first_line(path: Path) -> str:
    """"" if there is no such file."""
    try:
        with open(path, errors="replace") as file:
            return file.readline(4096).rstrip("\n") or " "
    except FileNotFoundError:
        return ""


def _replace(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(content)
    os.replace(fresh, path)


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
