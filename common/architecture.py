"""What Kubernetes, images and Go call a machine's processor, from what the kernel calls it (`uname -m`).

Master, agent and lab must agree on it: node labels and image configurations are compared by these words. Pure.
What is not listed has the same name for both (riscv64, s390x, ppc64le), or is a machine that nobody has tried: then its own name says most.
"""

from __future__ import annotations

NAMES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "loongarch64": "loong64",
}


def name(machine: str) -> str:
    return NAMES.get(machine, machine)
