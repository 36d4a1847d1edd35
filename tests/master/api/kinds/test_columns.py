"""What the cells of a few telling columns say, and which schedules are sound, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from master.api.kinds import certificatesigningrequest, claim, cronjob, endpoints, horizontalpodautoscaler, job
from master.api.kinds.columns import Column

NOW = 1_700_000_000.0


def cell(columns: tuple[Column, ...], name: str, document: dict[str, Any]) -> Any:
    return next(column for column in columns if column.name == name).cell({"metadata": {"name": "x"}, **document}, NOW)


def conditions(*names: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": name, "status": "True"} for name in names]}}


@pytest.mark.parametrize(
    ("document", "status"),
    [
        pytest.param({}, "Running", id="nothing said of it: it runs"),
        pytest.param(conditions("SuccessCriteriaMet", "Complete"), "Complete", id="complete, whatever led there"),
        pytest.param(conditions("FailureTarget"), "FailureTarget", id="about to fail"),
        pytest.param(conditions("Suspended"), "Suspended", id="suspended"),
        pytest.param({"metadata": {"deletionTimestamp": "2023-11-14T22:13:20Z"}, **conditions("Suspended")}, "Terminating", id="on its way out"),
        pytest.param({"metadata": {"deletionTimestamp": "2023-11-14T22:13:20Z"}, **conditions("Failed")}, "Failed", id="failed before that"),
    ],
)  # fmt: skip
def test_the_status_of_a_job(document: dict[str, Any], status: str) -> None:
    assert cell(job.COLUMNS, "Status", document) == status


def test_a_job_counts_its_completions_and_its_time() -> None:
    spec = {"completions": 3, "parallelism": 2}
    times = {"startTime": "2023-11-14T22:03:20Z", "succeeded": 2}
    assert cell(job.COLUMNS, "Completions", {"spec": spec, "status": times}) == "2/3"
    assert cell(job.COLUMNS, "Completions", {"spec": {"parallelism": 2}, "status": times}) == "2/1 of 2"
    assert cell(job.COLUMNS, "Duration", {"status": times}) == "10m"
    assert cell(job.COLUMNS, "Duration", {"status": {**times, "completionTime": "2023-11-14T22:04:05Z"}}) == "45s"


@pytest.mark.parametrize("schedule", ["* * * * *", "*/15 0 1,15 * 1-5", "0 22 * jan-mar sun", "5-59/10 * ? * *", "@hourly", "@every 1h30m"])
def test_a_sound_schedule(schedule: str) -> None:
    assert cronjob.schedule_problem(schedule) == ""


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("* * * someday *", "failed to parse int from someday"),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
    ],
)
def test_a_schedule_that_is_none(schedule: str, problem: str) -> None:
    assert cronjob.schedule_problem(schedule) == problem


def test_the_targets_of_an_autoscaler() -> None:
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 60}}}
    used = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12}}}
    hits = {"type": "Object", "object": {"target": {"value": "10k"}}}
    more = {"type": "External", "external": {"target": {"averageValue": "5"}}}
    columns = horizontalpodautoscaler.COLUMNS
    assert cell(columns, "Targets", {"spec": {"metrics": [cpu]}, "status": {"currentMetrics": [used]}}) == "cpu: 12%/60%"
    assert cell(columns, "Targets", {"spec": {"metrics": [hits, more]}}) == "<unknown>/10k, <unknown>/5 (avg)"
    assert cell(columns, "Targets", {"spec": {"metrics": [cpu, hits, more]}}) == "cpu: <unknown>/60%, <unknown>/10k + 1 more..."


def test_a_claim_shows_its_volume_once_it_has_one() -> None:
    status = {"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"]}
    for name, bound in (("Capacity", "5Gi"), ("Access Modes", "RWO,RWX")):
        assert cell(claim.COLUMNS, name, {"spec": {}, "status": status}) == ""
        assert cell(claim.COLUMNS, name, {"spec": {"volumeName": "v"}, "status": status}) == bound


def test_many_endpoints_are_counted() -> None:
    addresses = [{"ip": f"10.0.0.{i}"} for i in range(5)] + [{"ip": "fe80::1"}]
    shown = cell(endpoints.COLUMNS, "Endpoints", {"subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]})
    assert shown == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 3 more..."
    assert cell(endpoints.COLUMNS, "Endpoints", {"subsets": [{"addresses": addresses[5:], "ports": [{"port": 80}]}]}) == "[fe80::1]:80"
    assert cell(endpoints.COLUMNS, "Endpoints", {}) == "<none>"


@pytest.mark.parametrize(
    ("status", "shown"),
    [({}, "Pending"), (conditions("Approved")["status"], "Approved"), ({**conditions("Approved")["status"], "certificate": "YQ=="}, "Approved,Issued"),
     (conditions("Denied")["status"], "Denied"), (conditions("Approved", "Failed")["status"], "Approved,Failed")],
)  # fmt: skip
def test_the_condition_of_a_request_for_a_certificate(status: dict[str, Any], shown: str) -> None:
    assert cell(certificatesigningrequest.COLUMNS, "Condition", {"status": status}) == shown


@pytest.mark.parametrize(
    ("zone", "problem"),
    [
        ("Europe/Berlin", ""), ("Etc/GMT+5", ""), ("UTC", ""), ("America/Argentina/Buenos_Aires", ""),
        ("", "timeZone must be nil or non-empty string"), ("Mars/Base", "unknown time zone Mars/Base"), ("../etc/passwd", "unknown time zone ../etc/passwd"),
        ("/etc/localtime", "unknown time zone /etc/localtime"), ("-5", "unknown time zone -5"), ("Europe", "unknown time zone Europe"),
        ("LOCAL", "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"),
    ],
)  # fmt: skip
def test_a_time_zone_is_one_that_is_known(zone: str, problem: str) -> None:
    assert [cause.message for cause in cronjob.zone_causes("spec.timeZone", zone)] == ([f'Invalid value: "{zone}": {problem}'] if problem else [])
