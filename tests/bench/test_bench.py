"""The benchmarks' table and JSON, and the cheapest of them at its smallest size, so that they still run when somebody needs them."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import __main__, binding, etcd, footprint, schedule, writes
from bench.report import Figure, Skip, document, table

FIGURES = [Figure("writes", "store alone", 2000.0, "creates/s", "the floor", 1000.0), Figure("footprint", "kmaster", 82.64, "MB RSS")]
SKIPS = [Skip("writes beside etcd", "it is not installed")]


def test_the_table_shows_each_ratio_beside_what_and_every_skip() -> None:
    lines = [line.split() for line in table(FIGURES, SKIPS).splitlines()]
    assert lines[0] == ["BENCHMARK", "FIGURE", "VALUE", "UNIT", "RATIO", "BESIDE"]
    assert lines[1] == "writes store alone 2,000 creates/s 2.00 the floor (1,000)".split()
    assert lines[2] == "footprint kmaster 82.6 MB RSS - -".split()
    assert lines[3:] == ["SKIPPED writes beside etcd: it is not installed".split()]


def test_the_json_holds_ratios_and_skips() -> None:
    found = json.loads(document({"cores": 2}, FIGURES, SKIPS))
    assert [figure["ratio"] for figure in found["figures"]] == [2.0, None]
    assert found["machine"] == {"cores": 2} and found["skipped"][0]["why"] == "it is not installed"


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
