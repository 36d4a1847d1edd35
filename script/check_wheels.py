"""Can each kind of host that is supported install this project without a compiler? `.venv/bin/python script/check_wheels.py`

Asks pip to resolve all of setup.cfg's dependencies from wheels alone, for the Python and the C library of each distribution, on x86-64 and
arm64: the newest versions that are allowed, and the lowest of each that is named. Reads the index's metadata and installs nothing. Prints a
line each, with pip's words where it cannot be done, and ends with exit code 1 if there was such a case.
"""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SETUP = Path(__file__).resolve().parent.parent / "setup.cfg"
HOSTS = {"Debian 12": ("3.11", 36), "Ubuntu 24.04": ("3.12", 39), "Debian 13": ("3.13", 41)}
"""The Python of each, and the minor version of its C library: wheels for it and for older ones fit."""
ARCHITECTURES = ("x86_64", "aarch64")
OLDEST_GLIBC = 17
TIMEOUT_S = 300.0


def requirements(text: str) -> list[str]:
    """All that a setup.cfg names, whatever extra it is for."""
    config = configparser.ConfigParser()
    config.read_string(text)
    lists = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = {line.strip() for each in lists for line in each.splitlines()}
    return sorted(line for line in lines if line and not line.startswith("#"))


def lowest(requirement: str) -> str:
    """Its lower bound as the one version."""
    return re.sub(r">=\s*([^,\s]+).*", r"==\1", requirement)


def resolve(wanted: list[str], *, python: str, glibc: int, architecture: str) -> str:
    """pip's last words, or "" when all of it can be had."""
    platforms = [f"manylinux_2_{minor}_{architecture}" for minor in range(OLDEST_GLIBC, glibc + 1)] + [f"manylinux2014_{architecture}"]
    with tempfile.TemporaryDirectory() as nowhere:
        command = [
            sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--disable-pip-version-check", "--no-input",
            "--only-binary=:all:", "--target", nowhere, "--implementation", "cp", "--python-version", python,
            *(word for platform in platforms for word in ("--platform", platform)), *wanted,
        ]  # fmt: skip
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S)
    errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
    return "" if result.returncode == 0 else (errors or ["pip said nothing"])[0]


def main() -> int:
    newest, failed = requirements(SETUP.read_text()), 0
    for host, (python, glibc) in HOSTS.items():
        for architecture in ARCHITECTURES:
            for which, wanted in (("newest", newest), ("lowest", [lowest(each) for each in newest])):
                words = resolve(wanted, python=python, glibc=glibc, architecture=architecture)
                failed += bool(words)
                print(f"{host}, Python {python}, {architecture}, {which}: {words or 'all wheels are there'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
