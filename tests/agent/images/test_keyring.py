"""Which credentials fit an image, as Kubernetes' DockerKeyring decides it; and that none is ever shown."""

from __future__ import annotations

import base64
import json

import pytest

from agent.images import keyring, reference


def encoded(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def auth(user: str, password: str = "pass") -> dict:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def secret(auths: dict, name: str = "regcred") -> dict:
    data = {".dockerconfigjson": encoded({"auths": auths})}
    return {"metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson", "data": data}


def users(auths: dict, image: str) -> list[str]:
    ring = keyring.from_secrets([secret({location: auth(user) for location, user in auths.items()})])
    return [credential.username for credential in ring.of(reference.parse(image))]


@pytest.mark.parametrize(
    ("auths", "image", "found"),
    [
        pytest.param({"reg.test": "a"}, "reg.test/x", ["a"], id="the host"),
        pytest.param({"https://reg.test": "a"}, "reg.test/x", ["a"], id="the host as a URL"),
        pytest.param({"https://reg.test/v1/": "a", "reg.test/v2/": "b"}, "reg.test/x", ["a", "b"], id="v1 and v2 mean the host"),
        pytest.param({"reg.test": "a", "reg.test/team": "b"}, "reg.test/team/x", ["b", "a"], id="the longer path first, then the host"),
        pytest.param({"reg.test/team": "b"}, "reg.test/other/x", [], id="another path"),
        pytest.param({"reg.test:5000": "a"}, "reg.test/x", [], id="another port"),
        pytest.param({"reg.test": "a"}, "reg.test:5000/x", [], id="no port is not any port"),
        pytest.param({"*.test": "a"}, "reg.test/x", ["a"], id="a glob for a part of the host"),
        pytest.param({"*.test": "a"}, "a.reg.test/x", [], id="a glob is for one part only"),
        pytest.param({"re*.t*t:50": "a"}, "reg.test:50/x", ["a"], id="globs within parts"),
        pytest.param({"*.test": "a", "reg.test": "b"}, "reg.test/x", ["b", "a"], id="the exact host before the glob"),
        pytest.param({"https://index.docker.io/v1/": "a"}, "nginx", ["a"], id="the Hub as docker login writes it"),
        pytest.param({"docker.io": "b", "https://index.docker.io/v1/": "a"}, "nginx", ["b"], id="the Hub's own name before that"),
        pytest.param({"https://index.docker.io/v1/": "a"}, "reg.test/x", [], id="the Hub's are for nobody else"),
    ],
)
def test_credentials_that_fit(auths: dict, image: str, found: list[str]) -> None:
    assert users(auths, image) == found


def test_the_old_form_and_plain_fields_are_read() -> None:
    old = {"metadata": {"name": "old"}, "type": "kubernetes.io/dockercfg",
           "data": {".dockercfg": encoded({"reg.test": {"username": "u", "password": "p", "email": "x@y"}})}}  # fmt: skip
    found = keyring.from_secrets([old]).of(reference.parse("reg.test/x"))
    assert [(one.username, one.password) for one in found] == [("u", "p")]


def test_a_password_may_have_colons_and_a_secret_of_another_type_is_none() -> None:
    opaque = {"metadata": {"name": "o"}, "type": "Opaque", "data": {".dockerconfigjson": encoded({"auths": {"reg.test": auth("x")}})}}
    ring = keyring.from_secrets([opaque, secret({"reg.test": auth("u", "a:b:c")})])
    assert [one.password for one in ring.of(reference.parse("reg.test/x"))] == ["a:b:c"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (base64.b64encode(b"s3cret{").decode(), "no JSON object"),
        (encoded(["s3cret"]), "no JSON object"),
        (encoded({"auths": {"r": {"auth": "s3cret!"}}}), "not base64"),
        (encoded({"auths": {"r": {"auth": base64.b64encode(b"s3cret").decode()}}}), "username:password"),
        (encoded({"auths": {"r": "s3cret"}}), "no map"),
        (encoded({"auths": {"r": {"username": "u", "password": 5}}}), "no text"),
    ],
)
def test_a_secret_that_cannot_be_used_is_named_and_not_quoted(data: str, words: str) -> None:
    broken = {"metadata": {"name": "regcred"}, "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}}
    with pytest.raises(ValueError, match=words) as caught:
        keyring.from_secrets([broken])
    assert '"regcred"' in str(caught.value) and "s3cret" not in str(caught.value)


def test_a_credential_is_not_shown() -> None:
    ring = keyring.from_secrets([secret({"reg.test": auth("alice", "s3cret")})])
    assert "s3cret" not in repr(ring) + str(ring) + repr(ring.entries[0][1])
