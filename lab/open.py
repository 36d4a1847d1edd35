"""Which lab is meant: the folder (`$STEERSMAN_LAB`, or `.lab` in the project's folder) and the implementation for its runtime.

An existing lab keeps its runtime; asking for another one is refused. The list of implementations is here and nowhere else.
Without settings, the lab that is there is opened as it is; when there is none, its commands say so.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.contract import Lab, LabFault, LabSettings
from lab.hollow import HollowLab
from lab.hosts import HostLab
from lab.state import StateFile

RUNTIMES: dict[str, type[HostLab] | type[HollowLab]] = {
    "containerd": HostLab,
    "docker": HostLab,
    "mixed": HostLab,
    "hollow": HollowLab,
}
PROJECT = Path(__file__).resolve().parent.parent


def directory() -> Path:
    return Path(os.environ.get("STEERSMAN_LAB") or PROJECT / ".lab").absolute()


def open_lab(folder: Path, settings: LabSettings | None = None) -> Lab:
    """Raises LabFault when a lab of another runtime is there, or when its state is damaged and settings are asked for."""
    state = None
    try:
        state = StateFile(folder).load()
    except LabFault:
        if settings is not None:
            raise
    if settings is not None and settings.runtime not in RUNTIMES:
        raise LabFault(f"there is no runtime {settings.runtime!r}: choose one of {', '.join(RUNTIMES)}")
    if state is not None and settings is not None and settings.runtime != state.settings.runtime:
        raise LabFault(f"a lab with the runtime {state.settings.runtime} is in {folder}: run script/down first")
    runtime = state.settings.runtime if state else settings.runtime if settings else "containerd"
    return RUNTIMES[runtime](folder, settings)
