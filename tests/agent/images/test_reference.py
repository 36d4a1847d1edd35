"""Names of images, as every registry client reads them."""

from __future__ import annotations

import pytest

from agent.images import reference
from agent.images.reference import Reference
from agent.lifecycle.containers import default_pull_policy

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "host", "path", "tag", "digest"),
    [
        pytest.param("nginx", "docker.io", "library/nginx", "latest", "", id="a name alone is of the Hub's library"),
        pytest.param("a/b:1", "docker.io", "a/b", "1", "", id="a first part without a dot is a user of the Hub"),
        pytest.param("index.docker.io/nginx", "docker.io", "library/nginx", "latest", "", id="the Hub has two names"),
        pytest.param("localhost/a", "localhost", "a", "latest", "", id="localhost is a host"),
        pytest.param("reg:5000/a/b:v1.2", "reg:5000", "a/b", "v1.2", "", id="a port makes a host"),
        pytest.param("[fd00::1]:5000/a:1", "[fd00::1]:5000", "a", "1", "", id="an address of version 6"),
        pytest.param(f"quay.io/a@{DIGEST}", "quay.io", "a", "", DIGEST, id="a digest needs no tag"),
        pytest.param(f"quay.io/a:3@{DIGEST}", "quay.io", "a", "3", DIGEST, id="both"),
        pytest.param("reg.test/a__b/c-d.e", "reg.test", "a__b/c-d.e", "latest", "", id="separators within a path"),
    ],
)
def test_a_name_is_taken_apart(text: str, host: str, path: str, tag: str, digest: str) -> None:
    assert reference.parse(text) == Reference(host, path, tag, digest)
    assert reference.parse(str(reference.parse(text))) == reference.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", " nginx", "UPPER", "a:b:c", "a/", "/a", "a//b", "a..b", "a:-x", "a@sha256:12", "reg.test/A", "a b", "https://reg.test/a",
     "../etc", "a?x=1", "a#b", "ab" * 32, "a" * 300],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid|must|cannot"):
        reference.parse(text)


@pytest.mark.parametrize(
    ("image", "policy"),
    [("a", "Always"), ("a:latest", "Always"), ("a:1", "IfNotPresent"), ("r:5000/a", "Always"), (f"a@{DIGEST}", "IfNotPresent"),
     (f"a:latest@{DIGEST}", "IfNotPresent")],
)  # fmt: skip
def test_the_tag_says_when_to_pull_if_nobody_does(image: str, policy: str) -> None:
    assert default_pull_policy(reference.parse(image)) == policy
