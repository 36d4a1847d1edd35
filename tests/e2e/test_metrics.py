"""What a whole master tells of itself at `/metrics` and about its health."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import kubectl_path
from tests.e2e.kmaster import Kubectl, running

POD = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"busybox:1.36"}]}}'


def test_a_master_tells_of_all_its_parts(tmp_path: Path) -> None:
    with running(tmp_path) as master:
        kubectl = Kubectl(kubectl_path(), master, namespace="default", home=tmp_path)
        kubectl("create", "-f", "-", stdin=POD)
        kubectl("wait", "--for=jsonpath={.status.conditions[0].reason}=Unschedulable", "pod/p", "--timeout=20s")
        text = kubectl("get", "--raw", "/metrics")
        found = {(s.name, *sorted(s.labels.values())): s.value for f in text_string_to_metric_families(text) for s in f.samples}
        assert found["apiserver_storage_objects", "pods"] == 1
        assert sum(found["scheduler_pending_pods", queue] for queue in ("active", "backoff", "unschedulable")) == 1
        assert found["scheduler_schedule_attempts_total", "default-scheduler", "unschedulable"] >= 1
        assert found["workqueue_adds_total", "namespace-controller"] >= 4 and found["workqueue_depth", "namespace-controller"] == 0
        assert found["process_resident_memory_bytes",] > 20e6 and found["process_open_fds",] > 5
        assert found["process_start_time_seconds",] > 1.7e9 and found["process_cpu_seconds_total",] > 0
        assert any(key[0] == "apiserver_request_total" and "POST" in key and "pods" in key for key in found)
        told = kubectl("get", "--raw", "/readyz?verbose")
        assert told == "[+]ping ok\n[+]etcd ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n"
        assert kubectl("get", "--raw", "/livez/etcd") == "ok"
        assert master.stop() == 0
