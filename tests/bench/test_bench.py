"""The benchmarks' table and JSON, and the cheapest of them at its smallest size, so that they still run when somebody needs them."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import __main__, api, binding, etcd, fleet, footprint, load, pod_start, schedule, writes
from bench.report import Budget, Failure, Figure, Run, Skip, document, table
from lab.contract import LabFault, LabSettings

FIGURES = [
    Figure("writes", "store alone", 2000.0, "creates/s", "the floor", 1000.0, Budget(least=3, ratio=True)),
    Figure("footprint", "kmaster", 82.64, "MB RSS", budget=Budget(most=110)),
    Figure("footprint", "import numpy", 13.3, "MB RSS"),
]
RUN = Run({"cores": 2}, FIGURES, [Skip("writes beside etcd", "it is not installed")], [Failure("fleet", "it did not come up")])


def test_the_table_shows_each_ratio_beside_what_every_budget_skip_and_failure() -> None:
    lines = [line.split() for line in table(RUN).splitlines()]
    assert lines[0] == ["BENCHMARK", "FIGURE", "VALUE", "UNIT", "RATIO", "BESIDE", "BUDGET"]
    assert lines[1] == "writes store alone 2,000 creates/s 2.00 the floor (1,000) ratio ≥ 3: EXCEEDED".split()
    assert lines[2] == "footprint kmaster 82.6 MB RSS - - ≤ 110: held".split()
    assert lines[3] == "footprint import numpy 13.3 MB RSS - - -".split()
    assert lines[4:] == ["SKIPPED writes beside etcd: it is not installed".split(), "FAILED fleet: it did not come up".split()]


def test_the_json_holds_ratios_budgets_skips_and_failures() -> None:
    found = json.loads(document(RUN))
    assert [figure["ratio"] for figure in found["figures"]] == [2.0, None, None]
    assert [figure["held"] for figure in found["figures"]] == [False, True, None]
    assert found["machine"] == {"cores": 2} and found["skipped"][0]["why"] == "it is not installed"
    assert found["failed"] == [{"benchmark": "fleet", "why": "it did not come up"}]


def test_the_command_runs_a_benchmark_and_writes_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STEERSMAN_LAB", str(tmp_path / "lab"))
    monkeypatch.setitem(__main__.BENCHMARKS, "writes", lambda: writes.alone({1: 10, 4: 20}))
    result = CliRunner().invoke(__main__.main, ["writes", "--json", str(tmp_path / "bench.json")])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "bench.json").read_text())
    assert [figure["name"] for figure in found["figures"]] == ["store alone, 1 client", "store alone, 4 clients"]
    assert all(figure["ratio"] > 0 for figure in found["figures"]) and found["machine"]["versions"]["sqlite"]
    assert "store alone, 4 clients" in result.output
    assert not list((tmp_path / "lab").iterdir()), "a benchmark leaves nothing behind"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        pytest.param(RuntimeError("POST /api: 500: it\nbroke"), "POST /api: 500: it broke", id="a refusal, in one line"),
        pytest.param(LabFault("no free port"), "no free port", id="a lab that does not come up"),
        pytest.param(TimeoutError(), "TimeoutError", id="an error without words is named"),
    ],
)
def test_a_benchmark_that_fails_is_told_in_a_sentence_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, sentence: str
) -> None:
    def fail() -> Iterator[Figure | Skip]:
        yield FIGURES[2]
        raise error

    monkeypatch.setitem(__main__.BENCHMARKS, "writes", fail)
    monkeypatch.setitem(__main__.BENCHMARKS, "fleet", lambda: [FIGURES[1]])
    result = CliRunner().invoke(__main__.main, ["writes", "fleet", "--json", str(tmp_path / "bench.json")])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert f"FAILED writes: {sentence}" in result.output and "82.6" in result.output and "import numpy" in result.output
    assert json.loads((tmp_path / "bench.json").read_text())["failed"] == [{"benchmark": "writes", "why": sentence}]


def test_every_pod_of_a_decision_finds_a_node() -> None:
    assert schedule.decision(20, 10) > 0


def test_every_pod_is_bound_durably(tmp_path: Path) -> None:
    assert asyncio.run(binding.bound(tmp_path, schedule.OFFER, nodes=3, pods_count=12, spec=schedule.SPEC)) > 0


@pytest.mark.skipif(shutil.which("etcd") is None, reason="etcd is not installed")
def test_etcd_takes_puts_and_is_ended(tmp_path: Path) -> None:
    assert asyncio.run(etcd.puts(tmp_path, 2, total=10, value=b"x" * 300)) > 0
    assert (tmp_path / "etcd" / "member" / "wal").is_dir(), "its data is where the benchmark put it"


def test_a_put_is_encoded_as_etcd_reads_it() -> None:
    assert etcd.put_request(b"k", b"v" * 300) == b"\x0a\x01k\x12\xac\x02" + b"v" * 300


def test_a_library_has_a_cost() -> None:
    assert footprint.library("numpy") > 1


def test_the_fleet_comes_to_rest_and_runs_its_pods(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STEERSMAN_LAB", str(tmp_path / "lab"))
    monkeypatch.setattr(fleet, "QUIET_S", 0.5)
    with load.running_lab(fleet.settings(12)) as lab:
        rest = fleet.at_rest(lab, watch_s=0.5)
        found = [*fleet.hosts_at_rest(12, rest, fleet.Rest(rest.rss / 2, 0.0)), *fleet.pods(lab, 12, count=60, base_count=20)]
    figures = {figure.name: figure for figure in found}
    assert len(figures) == len(found) == 6
    assert figures["create to Running, 12 hosts, 60 pods"].ratio > 0  # type: ignore[operator]
    assert 0 < figures["master: processor for a pod, create to Running"].value < 1000
    assert figures["master: memory of a host, of 12"].value > 0


def test_daemons_at_rest_have_a_footprint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STEERSMAN_LAB", str(tmp_path / "lab"))
    found = footprint.idle(["hollow"], settle_s=0.0, watch_s=0.5)
    assert [figure.name for figure in found] == [
        f"{daemon}, hollow lab: {what}" for daemon in ("kmaster", "kagent") for what in ("memory", "processor")
    ]
    assert all(figure.ratio > 1 and figure.held for figure in found if figure.unit == "MB RSS")  # type: ignore[operator]


@pytest.mark.skipif(bool(pod_start.missing("containerd")), reason=pod_start.missing("containerd"))
def test_pods_start_beside_raw_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STEERSMAN_LAB", str(tmp_path / "lab"))
    with load.running_lab(LabSettings(runtime="containerd", hosts=1, example=False)) as lab:
        single, more, at_once = pod_start.beside_raw(lab, "containerd", pods=1, many=3, parallel=(3,))
    assert single.ratio > 0 and at_once.ratio > 0  # type: ignore[operator]
    assert more.value == pytest.approx(single.value - single.beside_value)
    assert at_once.beside == "raw CRI, 3 at once"


def test_requests_are_measured_beside_a_bare_handler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STEERSMAN_LAB", str(tmp_path))
    size = api.Size(pods=20, nodes=2, listed=10, gets=10, creates=10, lists=1, watchers=3, events=2)
    found = [figure for figure in api.measure(size) if isinstance(figure, Figure)]
    assert all(figure.value > 0 for figure in found)
    assert [figure.name.partition(" of ")[0] for figure in found if figure.ratio] == [
        "get a pod", "create a pod, durably", "list", "an event to each", "an event as a Table to each",
    ]  # fmt: skip
    assert not list(tmp_path.iterdir()), "the lab, kmaster and the floor are gone"
