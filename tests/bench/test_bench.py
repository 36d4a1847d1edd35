"""The benchmarks' table and JSON, and the cheapest of them at its smallest size, so that they still run when somebody needs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import __main__, schedule, writes
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
