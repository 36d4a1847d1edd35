"""Logs that are larger than a file of them may be, as `kubectl logs` shows them."""

from __future__ import annotations

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.test_workloads import pod

MANY = "i=0; while [ $i -lt 130000 ]; do i=$((i+1)); echo $i; done | sed 's/$/ {}/'".format("x" * 90)


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_log_is_followed_over_its_rotation(cluster: Cluster) -> None:
    """More than 10 Mi: the file is put aside while somebody reads it, and not a line is missing."""
    wait = "until [ -e /tmp/{} ]; do sleep 0.1; done"
    script = f"echo begin; {wait.format('start')}; {MANY}; {wait.format('go')}; echo last; {wait.format('end')}"
    cluster.apply(pod("talks", script, policy="Never"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/talks", "--timeout=30s")
    about = cluster.json("get", "pod", "talks")
    folder = f"/var/log/pods/{cluster.namespace}_talks_{about['metadata']['uid']}/main"
    with cluster.following("logs", "-f", "talks", first="begin") as output:
        cluster.kubectl("exec", "talks", "--", "touch", "/tmp/start")
        aside = f"ls {folder}/0.log.2* || ls $(readlink -f {folder}/0.log).1"
        cluster.until(lambda: cluster.lab.run(about["spec"]["nodeName"], ["sh", "-c", aside]).returncode == 0, "the rotation")
        cluster.kubectl("exec", "talks", "--", "touch", "/tmp/go")
        cluster.until(lambda: "last" in cluster.kubectl("logs", "talks", "--tail=1"), "the last line")
        cluster.kubectl("exec", "talks", "--", "touch", "/tmp/end")
        numbers = [line.split()[0] for line in output().splitlines()]
    assert numbers == [*map(str, range(1, 130001)), "last"]
