"""`kctl bundle` on a hollow lab: what is in the archive, and that no planted secret is, in any byte of it."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

from lab.contract import Lab
from tests.e2e.cluster import manifest

PASSWORD = "correct-horse-battery-staple"


def kctl(lab: Lab, *arguments: str) -> str:
    command = [sys.executable, "-m", "ctl", "--config", str(lab.kubeconfig.parent / "kctl.json"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_bundle_holds_the_cluster_and_none_of_its_secrets(hollow_lab: Lab, kubectl, tmp_path: Path):
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": {"password": encoded}})}
    meta = {"name": "planted", "namespace": "default", "annotations": applied}
    planted = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"password": encoded}}
    done = kubectl(hollow_lab, "create", "-f", "-", stdin=manifest(planted))
    assert done.returncode == 0, done.stderr
    join = kctl(hollow_lab, "token", "create").strip()
    log = hollow_lab.kubeconfig.parent / "hosts" / "master" / "log" / "planted.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"login with {PASSWORD} failed\njoining with {join}\n")
    secret = kubectl(hollow_lab, "get", "secrets", "-n", "kube-system", "-o", "jsonpath={.items[*].data.token-secret}").stdout.split()
    assert secret
    target = tmp_path / "cluster.tar.gz"

    printed = kctl(hollow_lab, "bundle", str(target))

    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with tarfile.open(target) as archive:
        files = {entry.name.removeprefix("cluster/"): archive.extractfile(entry).read() for entry in archive.getmembers()}
    wanted = {"versions.txt", "machine.txt", "objects/pods.yaml", "objects/secrets.yaml", "objects/events.yaml", "logs/master/planted.log"}
    assert wanted <= set(files) and all(name in printed for name in files)
    assert any(name.startswith("why/pod-default-web") for name in files)
    assert b"planted" in files["objects/secrets.yaml"] and b"password: <redacted>" in files["objects/secrets.yaml"]
    assert files["errors.txt"].strip() == b""
    keys = json.loads((hollow_lab.kubeconfig.parent / "kctl.json").read_text())
    plain = [base64.b64decode(each).decode() for each in secret]
    for word in (PASSWORD, encoded, join, keys["secret_key"], *secret, *plain, "PRIVATE KEY", "client-key-data"):
        assert [name for name, body in files.items() if word.encode() in body] == [], word
