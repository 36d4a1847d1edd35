"""The whole cluster under seeded faults: fifty seeds, each of which must keep every promise and settle; and replay exactly.

One seed is one test, so that a failure names it; `python -m tests.sim.scenario SEED --all` shows the same run again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim import scenario

ROOT = Path(__file__).resolve().parent.parent.parent
SEEDS = range(1, 51)
REPLAYED = 3


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cluster_keeps_its_promises_and_settles(seed):
    result = scenario.run(seed)
    assert result.revisions > 500, "next to nothing happened"


def test_the_same_seed_gives_the_same_trace_alone_and_in_a_batch():
    """Alone: in a process of its own, in which Python orders sets differently."""
    scenario.run(REPLAYED + 1)
    batch = scenario.run(REPLAYED)
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)}
    alone = subprocess.run(
        [sys.executable, "-m", "tests.sim.scenario", str(REPLAYED)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert batch.digest in alone.stdout, alone.stdout
