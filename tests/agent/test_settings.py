"""The agent's settings: file, environment, options; and one sentence for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.settings import Settings, load
from common.errors import Invalid


def test_options_win_over_the_environment_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("cpu: '1'\nmemory: 1Gi\nbridge: br7\n")
    environment = {"KAGENT_CPU": "2", "KAGENT_MEMORY": "2Gi", "KAGENT_LABELS": "zone=a,disk=ssd", "KAGENT_ROUTES": "false", "KAGENT_JOIN": "x"}
    settings = load(file=file, environment=environment, options={"cpu": "3", "memory": None})
    assert (settings.cpu, settings.memory, settings.bridge) == ("3", "2Gi", "br7")
    assert settings.labels == {"zone": "a", "disk": "ssd"} and settings.routes is False


def test_the_defaults_are_good() -> None:
    assert load(file=None, environment={}, options={}) == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("cpus: 2", "unknown field `cpus`", id="an unknown key"),
        pytest.param("cpu: many", "cpu: quantities must match", id="a bad quantity"),
        pytest.param("memory: -1", "must be above 0", id="a negative capacity"),
        pytest.param("runtime: rkt", "none of containerd, docker, hollow", id="an unknown runtime"),
        pytest.param("bridge: much-too-long-for-a-link", "bridge", id="a long link name"),
        pytest.param("node_name: Not_A_Name", "not a DNS name", id="a bad node name"),
        pytest.param("resources: {gpu: 1}", "'gpu' is not DOMAIN/NAME", id="a resource without a domain"),
        pytest.param("resources: {example.com/gpu: /etc/passwd}", "below /dev", id="a device that is none"),
        pytest.param("reserved: {pods: '1'}", "none of cpu, memory, ephemeral-storage", id="what cannot be reserved"),
        pytest.param("- a\n- b", "must be a map", id="a list"),
        pytest.param("a: [", "not YAML", id="broken YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(text)
    with pytest.raises(Invalid) as caught:
        load(file=file, environment={}, options={})
    assert words in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file"):
        load(file=tmp_path / "absent.yaml", environment={}, options={})
