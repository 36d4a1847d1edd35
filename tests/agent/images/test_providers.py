"""Credential providers: their configuration, what they are asked and answer, and real helper processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from agent.images import provider_exec, providers, reference
from agent.images.provider_exec import Providers
from agent.lifecycle.life import Note
from common.errors import Invalid
from tests.agent import virtual

CONFIG = """\
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
- name: helper
  matchImages: ["*.dkr.ecr.*.amazonaws.com", "reg.test:5000/team"]
  defaultCacheDuration: 12h
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  args: [get]
  env: [{name: REGION, value: eu}]
"""
ECR = reference.parse("1234.dkr.ecr.eu-west-1.amazonaws.com/app:1")


def configured(text: str = CONFIG) -> providers.Provider:
    return providers.configured(yaml.safe_load(text))[0]


def test_a_provider_is_asked_for_images_that_it_matches() -> None:
    provider = configured()
    assert provider.cache_s == 12 * 3600 and provider.args == ("get",) and provider.env == (("REGION", "eu"),)
    assert provider.matches(ECR) and provider.matches(reference.parse("reg.test:5000/team/a"))
    assert not provider.matches(reference.parse("nginx")) and not provider.matches(reference.parse("reg.test:5000/other"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: CredentialProviderConfig", "kind: Pod", "Pod is not known"),
        ("name: helper", "name: ../helper", "providers[0].name: '../helper' is not the name of a program"),
        ("12h", "twelve", "providers[0].defaultCacheDuration: 'twelve' is not a duration"),
        ("  defaultCacheDuration: 12h\n", "", "missing required field `defaultCacheDuration`"),
        ('["*.dkr.ecr.*.amazonaws.com", "reg.test:5000/team"]', "[]", "providers[0].matchImages: at least one is needed"),
        ("credentialprovider.kubelet.k8s.io/v1", "v1", "providers[0].apiVersion: 'v1' is not known"),
        ("args: [get]", "tokenAttributes: {}", "unknown field `tokenAttributes`"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_named(old: str, new: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        configured(CONFIG.replace(old, new))
    assert words in caught.value.message


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("0s", 0), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25)])
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert providers.duration_s(text) == seconds


@pytest.mark.parametrize("output", [b"s3cret", b'{"kind": "s3cret"}', b'{"kind": "CredentialProviderResponse", "apiVersion": "s3cret"}'])
def test_an_answer_that_is_none_is_not_quoted(output: bytes) -> None:
    with pytest.raises(ValueError, match="its answer is no") as caught:
        providers.answer(configured(), ECR, output)
    assert "s3cret" not in str(caught.value)


# With real processes.

HELPER = """\
#!/bin/sh
request=$(cat)
echo asked >>{folder}/asked
test "$1 $REGION" = "get eu" || exit 3
case $request in *1234.dkr.ecr*) ;; *) exit 4 ;; esac
cat <<END
{{"kind": "CredentialProviderResponse", "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "cacheKeyType": "{key}",
 "cacheDuration": {cache}, "auth": {{"*.dkr.ecr.*.amazonaws.com": {{"username": "AWS", "password": "s3cret"}}}}}}
END
"""


def helped(folder: Path, script: str, *images: str, wait_s: float = 0.0) -> tuple[list[tuple[str, ...]], int, list[Note]]:
    """The users that each image's credentials name, how often the helper was run, and the events."""
    program, notes = folder / "helper", []
    program.write_text(script)
    program.chmod(0o755)
    (folder / "config.yaml").write_text(CONFIG)
    found: list[tuple[str, ...]] = []

    class Clock:
        at = 0.0

        def now(self) -> float:
            return virtual.START_WALL + self.at

        def monotonic(self) -> float:
            return self.at

    async def main() -> None:
        clock = Clock()
        known = Providers(provider_exec.load(str(folder / "config.yaml"), str(folder)), str(folder), clock, notes.append)
        for image in images:
            found.append(tuple(each.username for each in await known.credentials_for(reference.parse(image))))
            clock.at += wait_s

    asyncio.run(main())
    asked = folder / "asked"
    return found, len(asked.read_text().splitlines()) if asked.exists() else 0, notes


@pytest.mark.parametrize(
    ("key", "cache", "wait_s", "runs"),
    [
        pytest.param("Registry", '"1h"', 0.0, 1, id="for the registry"),
        pytest.param("Image", '"1h"', 0.0, 2, id="for each image"),
        pytest.param("Global", '"1h"', 0.0, 1, id="for all"),
        pytest.param("Registry", '"1h"', 4000.0, 3, id="not longer than it holds"),
        pytest.param("Registry", '"0s"', 0.0, 3, id="not at all"),
        pytest.param("Registry", "null", 4000.0, 1, id="as long as the configuration says"),
    ],
)
def test_an_answer_is_kept_as_it_says(tmp_path: Path, key: str, cache: str, wait_s: float, runs: int) -> None:
    first, second = "1234.dkr.ecr.eu.amazonaws.com/a:1", "1234.dkr.ecr.eu.amazonaws.com/b:1"
    script = HELPER.format(folder=tmp_path, key=key, cache=cache)
    assert helped(tmp_path, script, first, second, first, wait_s=wait_s) == ([("AWS",)] * 3, runs, [])


@pytest.mark.parametrize(
    ("script", "words"),
    [("#!/bin/sh\necho s3cret >&2\nexit 7\n", "exit status 7"), ("#!/bin/sh\necho s3cret\n", "its answer is no JSON object")],
)
def test_a_helper_that_fails_is_told_and_costs_only_its_credentials(tmp_path: Path, script: str, words: str) -> None:
    found, _, notes = helped(tmp_path, script, str(ECR))
    text = f"error execing credential provider plugin helper for image {ECR}: {words}"
    assert found == [()] and notes == [Note("Warning", "CredentialProviderFailed", text)]


def test_a_helper_that_is_missing_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    with pytest.raises(Invalid, match="there is no program helper in"):
        provider_exec.load(str(tmp_path / "config.yaml"), str(tmp_path))
    assert provider_exec.load("", "") == ()
