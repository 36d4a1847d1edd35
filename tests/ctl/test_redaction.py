"""What a bundle leaves out: shapes of credentials, and values of Secrets wherever they stand."""

from __future__ import annotations

import base64

import pytest

from ctl import redaction


@pytest.mark.parametrize(
    ("body", "left"),
    [
        pytest.param("joined with abc123.0123456789abcdef now", "joined with <redacted> now", id="bootstrap token"),
        pytest.param("-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nok", "<redacted>\nok", id="private key"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMHc", "<redacted>", id="private key without its end"),
        pytest.param("Authorization: Bearer xyz", "Authorization: <redacted>", id="header"),
        pytest.param("pod web-5d4f8c7b9-x2x4z is ready", "pod web-5d4f8c7b9-x2x4z is ready", id="pod names stay"),
        pytest.param("image registry.k8s.io/pause:3.9", "image registry.k8s.io/pause:3.9", id="images stay"),
    ],
)
def test_shapes(body: str, left: str):
    assert redaction.text(body, []) == left


def test_values_are_found_plain_encoded_and_by_line_but_short_and_public_ones_are_left():
    data = {"key": "first line\nsecond line", "usage": "true", "namespace": "kube-system"}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    known = redaction.values([{"data": encoded}])
    said = f"true kube-system second line, {encoded['key']}"
    assert redaction.text(said, known).startswith("true kube-system <redacted>, <redacted>")
    assert redaction.tree({"a": ["x first line"]}, known) == {"a": ["x <redacted>"]}
