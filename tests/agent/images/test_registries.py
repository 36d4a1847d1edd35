"""registries.yaml: what it says, what is wrong with it, and what the runtimes make of it."""

from __future__ import annotations

import asyncio
import os
import tomllib
from pathlib import Path

import pytest
import yaml

from agent.images import reference, registries
from agent.images.keyring import Credential
from agent.images.registries import HUB_SERVER, Registries
from agent.images.registry_file import RegistryFile, load
from agent.lifecycle.life import Note
from agent.runtime import containerd_registries, docker_registries
from common.errors import Invalid

FULL = """\
mirrors:
  docker.io:
    endpoint: ["https://mirror.test", "http://127.0.0.1:5000/v2/hub"]
  reg.test:5000:
    endpoint: ["http://reg.test:5000"]
  "*": {endpoint: [https://any.test]}
configs:
  mirror.test: {auth: {username: alice, password: s3cret}, tls: {ca_file: CA}}
  docker.io: {auth: {auth: Ym9iOmh1Yg==}}
  own.test: {tls: {insecure_skip_verify: true}}
"""


def read(text: str) -> Registries:
    return registries.parse(yaml.safe_load(text))


def full(tmp_path: Path) -> Registries:
    (tmp_path / "ca.pem").write_text("")
    return read(FULL.replace("CA", str(tmp_path / "ca.pem")))


def test_mirrors_are_asked_in_order_and_each_host_gets_its_own_credentials(tmp_path: Path) -> None:
    found, nginx = full(tmp_path), reference.parse("nginx")
    assert [each.url for each in found.endpoints(nginx)] == ["https://mirror.test", "http://127.0.0.1:5000/v2/hub"]
    assert [each.url for each in found.endpoints(reference.parse("quay.io/a"))] == ["https://any.test"]
    assert found.credentials_for(nginx) == (
        Credential("alice", "s3cret", server="https://mirror.test"), Credential("bob", "hub", server=f"https://{HUB_SERVER}"),
    )  # fmt: skip
    assert found.credentials_for(reference.parse("quay.io/a")) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "must be a map"),
        ("mirror: {}", "registries.yaml: mirror: is not supported: known are mirrors, configs"),
        ("mirrors: {docker.io: {endpoint: https://m}}", "mirrors.docker.io.endpoint: must be a list of URLs"),
        ("mirrors: {docker.io: {endpoint: [m.test]}}", "mirrors.docker.io.endpoint[0]: must be a URL as https://HOST:PORT"),
        ("mirrors: {docker.io: {endpoint: ['https://a:s3cret@m']}}", "must carry no password: give it in configs.HOST.auth"),
        ("mirrors: {docker.io: {rewrite: {a: b}}}", "mirrors.docker.io.rewrite: is not supported: containerd cannot rewrite names"),
        ("mirrors: {'https://m': {}}", "'https://m' is not a host, or a host and a port"),
        ("mirrors: {../x: {}}", "is not a host"),
        ("configs: {'*': {}}", "'*' is not a host"),
        ("configs: {r: {auth: {username: a}}}", "configs.r.auth: needs username and password, or auth, or identity_token"),
        ("configs: {r: {auth: {username: a, password: 12345}}}", "configs.r.auth.password: must be text (in quotes"),
        ("configs: {r: {auth: {auth: s3cret!}}}", "configs.r.auth.auth: an auth field is not base64"),
        ("configs: {r: {tls: {ca_file: own.pem}}}", "configs.r.tls.ca_file: must be an absolute path"),
        ("configs: {r: {tls: {cert_file: /a}}}", "configs.r.tls: cert_file and key_file belong together"),
        ("configs: {r: {tls: {insecure_skip_verify: maybe}}}", "must be true or false"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_quoted(text: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(text)
    assert words in caught.value.message and "s3cret" not in caught.value.message and "12345" not in caught.value.message


def test_a_file_that_is_no_yaml_is_not_quoted_either(tmp_path: Path) -> None:
    path = tmp_path / "registries.yaml"
    path.write_text("configs:\n  r: {auth: {password: s3cret\n")
    with pytest.raises(Invalid, match="line 3: not YAML") as caught:
        load(path)
    assert "s3cret" not in caught.value.message


def test_a_missing_certificate_is_told(tmp_path: Path) -> None:
    path = tmp_path / "registries.yaml"
    path.write_text("configs: {r: {tls: {ca_file: /nowhere/ca.pem}}}")
    with pytest.raises(Invalid, match="configs.r.tls.ca_file: there is no file /nowhere/ca.pem"):
        load(path)


# containerd.


def test_containerd_gets_a_folder_for_each_registry_without_passwords(tmp_path: Path) -> None:
    files = containerd_registries.files(full(tmp_path))
    assert set(files) == {"docker.io", "reg.test:5000", "_default", "mirror.test", "own.test"}
    hub = tomllib.loads(files["docker.io"])
    assert hub["server"] == f"https://{HUB_SERVER}"
    assert list(hub["host"]) == ["https://mirror.test", "http://127.0.0.1:5000/v2/hub"]
    assert hub["host"]["https://mirror.test"]["ca"] == str(tmp_path / "ca.pem")
    assert hub["host"]["http://127.0.0.1:5000/v2/hub"]["override_path"] is True
    own = tomllib.loads(files["own.test"])["host"]
    assert list(own) == ["https://any.test", "https://own.test"] and own["https://own.test"]["skip_verify"] is True
    assert "server" not in tomllib.loads(files["_default"])
    assert not any("s3cret" in content for content in files.values())


def test_what_others_wrote_stays_and_what_is_no_longer_wanted_goes(tmp_path: Path) -> None:
    folder = tmp_path / "certs.d"
    for name in ("docker.io", "other.test"):
        (folder / name).mkdir(parents=True)
        (folder / name / "hosts.toml").write_text("# by hand\n")
    trouble = containerd_registries.write(str(folder), full(tmp_path), "c1")
    assert trouble == (f"{folder}/docker.io/hosts.toml is not ours and stays as it is",)
    assert (folder / "reg.test:5000/hosts.toml").read_text().startswith("# Made by kagent of cluster c1")
    assert containerd_registries.write(str(folder), Registries(), "c2") == () and (folder / "_default").exists()
    assert containerd_registries.write(str(folder), Registries(), "c1") == ()
    assert sorted(os.listdir(folder)) == ["docker.io", "other.test"]
    assert (folder / "docker.io/hosts.toml").read_text() == "# by hand\n"


def test_a_containerd_that_looks_nowhere_is_told_of(tmp_path: Path) -> None:
    assert "config_path" in containerd_registries.write("", full(tmp_path), "c1")[0]
    assert containerd_registries.write("", Registries(), "c1") == ()


# Docker.


def test_docker_asks_mirrors_under_their_names_and_says_what_it_cannot(tmp_path: Path) -> None:
    found = full(tmp_path)
    names = [str(place) for _, place in docker_registries.mirrored(found, reference.parse("nginx:1"))]
    assert names == ["mirror.test/library/nginx:1", "127.0.0.1:5000/hub/library/nginx:1"]
    assert docker_registries.mirrored(found, reference.parse("reg.test:5000/a")) == []
    words = docker_registries.without_effect(found, {"RegistryConfig": {"IndexConfigs": {"own.test": {"Secure": False}}}})
    assert words == (
        "configs.mirror.test.tls: Docker takes certificates from /etc/docker/certs.d/mirror.test",
        "mirrors.reg.test:5000: Docker does not talk to reg.test:5000 in the clear, "
        'list it under "insecure-registries" in /etc/docker/daemon.json',
    )


# The file.


class Told:
    def __init__(self) -> None:
        self.registries: list[Registries] = []

    async def use_registries(self, found: Registries) -> tuple[str, ...]:
        self.registries.append(found)
        return ("this has no effect",) if found.tls else ()


def test_the_file_is_read_anew_when_it_changed_and_a_broken_one_leaves_the_old(tmp_path: Path) -> None:
    path, told, notes = tmp_path / "registries.yaml", Told(), []
    file = RegistryFile(path, told, notes.append)
    image = reference.parse("r.test/a")

    def users() -> list[str]:
        return [credential.username for credential in asyncio.run(file.credentials_for(image))]

    assert users() == [] and len(told.registries) == 1
    path.write_text("configs: {r.test: {auth: {username: a, password: b}, tls: {insecure_skip_verify: true}}}")
    assert users() == ["a"] and users() == ["a"] and len(told.registries) == 2
    assert notes == [Note("Warning", "UnsupportedRegistries", f"{path}: this has no effect")]
    path.write_text("configs: []")
    assert users() == ["a"] and users() == ["a"]
    assert [note.reason for note in notes[1:]] == ["InvalidRegistries"]
    path.unlink()
    assert users() == []
