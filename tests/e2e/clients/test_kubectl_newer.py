"""What only newer kubectls can do, works with these, and older ones say that they do not know it: see since.py."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.clients.conftest import Client, with_every_kubectl
from tests.e2e.clients.since import SINCE
from tests.e2e.documents import deployment, pod, text

pytestmark = pytest.mark.compat("kubectl")

KUBERC = """
apiVersion: kubectl.config.k8s.io/v1alpha1
kind: Preference
aliases: [{name: getn, command: get, prependArgs: [nodes]}]
"""


@with_every_kubectl
def test_newer_commands(client: Client) -> None:
    kubectl, folder = client.kubectl.having(KUBECTL_KUBERC="true"), client.new_folder("newer")
    (folder / "newer.json").write_text(text(deployment("newer")))
    (folder / "custom.json").write_text(json.dumps({"env": [{"name": "CUSTOM", "value": "yes"}]}))
    (folder / "kuberc").write_text(KUBERC)
    kubectl("create", "-f", str(folder / "newer.json"))
    kubectl("create", "-f", "-", stdin=text(pod("looked-into", labels={"mine": "yes"})))
    kubectl("wait", "--for=condition=Ready", "pod/looked-into", "--timeout=30s")
    kubectl("wait", "--for=condition=Available", "deployment/newer", "--timeout=30s")
    for newer in SINCE:
        words = newer.words.replace("FOLDER", str(folder)).split()
        done = kubectl.run(*words, stdin=newer.stdin or None)
        said = done.stdout + done.stderr
        if client.minor >= newer.minor:
            assert done.returncode == 0 and re.search(newer.said, said, re.DOTALL), f"{newer.title}: {said}"
        else:
            assert done.returncode != 0 and newer.older in said, f"{newer.title}: {said}"
    stands = kubectl.json("get", "pod", "looked-into")
    added = {container["name"]: container for container in stands["spec"].get("ephemeralContainers", ())}
    if client.minor >= 30:
        assert added["root"]["securityContext"]["privileged"]
    if client.minor >= 31:
        assert added["custom"]["env"] == [{"name": "CUSTOM", "value": "yes"}]
        assert kubectl("get", "pod", "labelled", "-o", "jsonpath={.metadata.labels.mine}") == "yes"
    if client.minor >= 32:
        conditions = kubectl.json("get", "deployment", "newer")["status"]["conditions"]
        assert {"type": "Mine", "status": "True"} in [{key: each[key] for key in ("type", "status")} for each in conditions]
