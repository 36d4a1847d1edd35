"""What a machine's processor is called."""

from __future__ import annotations

import pytest

from common import architecture


@pytest.mark.parametrize(
    ("machine", "named"),
    [
        pytest.param("x86_64", "amd64", id="a PC"),
        pytest.param("aarch64", "arm64", id="64-bit ARM"),
        pytest.param("armv7l", "arm", id="32-bit ARM"),
        pytest.param("armv8l", "arm", id="32-bit ARM on a 64-bit processor"),
        pytest.param("i686", "386", id="an old PC"),
        pytest.param("loongarch64", "loong64", id="LoongArch"),
        pytest.param("riscv64", "riscv64", id="RISC-V has one name"),
        pytest.param("s390x", "s390x", id="a mainframe has one name"),
        pytest.param("mystery9", "mystery9", id="what nobody has heard of keeps its own"),
    ],
)
def test_processors_have_the_names_that_images_use(machine: str, named: str) -> None:
    assert architecture.name(machine) == named
