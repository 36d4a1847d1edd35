"""What a hollow container would do, read from its command in a minimal way. Pure.

Understood: `true`, `false`, `exit N`, `sleep N`, commands that end at once (`echo`, `cat`, …), `sh -c` with a sequence of those
joined by `;`, `&&` or lines, `trap '' TERM`. Everything else runs until it is stopped, as servers do. A command whose name
contains "nonexistent" or "missing" cannot be started.
"""

from __future__ import annotations

import re
import shlex

import msgspec

SHELLS = ("sh", "bash", "ash")
SHELL_IMAGES = ("busybox", "alpine", "debian", "ubuntu")
"""Images whose default command is a shell, which ends at once without a terminal."""
INSTANT = (
    "echo", "printf", "cat", "ls", "date", "hostname", "env", "touch", "mkdir", "test", "[", "set", "cd", "export", "id", "uname",
    "rm", "cp", "mv", "head", "grep", "wget",
)  # fmt: skip
ABSENT = ("nonexistent", "missing", "no-such", "does-not-exist")
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SEPARATOR = re.compile(r"\s*(?:;|&&|\n)\s*")
_TIME = re.compile(r"^([0-9]+(?:\.[0-9]+)?)([smhd]?)$")


class Program(msgspec.Struct, frozen=True):
    """runs_s None: until it is stopped. refused: why it cannot be started. ends_well: exits 0 on SIGTERM."""

    runs_s: float | None = None
    exit_code: int = 0
    refused: str = ""
    ignores_term: bool = False
    ends_well: bool = False


def read(image: str, command: tuple[str, ...], args: tuple[str, ...]) -> Program:
    words = [*command, *args]
    short = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    if not words:
        return Program(runs_s=0.0) if short in SHELL_IMAGES else Program(ends_well=True)
    name = words[0].rpartition("/")[2]
    if any(part in name for part in ABSENT):
        return Program(refused=f'exec: "{words[0]}": executable file not found in $PATH')
    if name in SHELLS and len(words) >= 3 and words[1].startswith("-") and "c" in words[1]:
        return _script(words[2])
    return _sequence([words], ignores_term=False)


def _script(text: str) -> Program:
    ignores_term = bool(re.search(r"trap\s+(''|\"\"|:|true)\s+(SIG)?(TERM|15)", text))
    if re.search(r"\b(while|until|for)\b", text):
        before = re.split(r"\b(?:while|until|for)\b", text, maxsplit=1)[0]
        prefix = _sequence(_commands(before), ignores_term=ignores_term)
        ends = prefix.runs_s is not None and prefix.exit_code != 0
        return prefix if ends else Program(ignores_term=ignores_term)
    return _sequence(_commands(text), ignores_term=ignores_term)


def _commands(text: str) -> list[list[str]]:
    found = []
    for part in _SEPARATOR.split(text):
        try:
            words = shlex.split(part)
        except ValueError:
            words = part.split()
        if words:
            found.append(words)
    return found


def _sequence(commands: list[list[str]], *, ignores_term: bool) -> Program:
    total_s, code = 0.0, 0
    for words in commands:
        if words[0] == "exec":
            words = words[1:] or ["true"]
        name = words[0].rpartition("/")[2]
        if name == "exit":
            code = int(words[1]) & 255 if len(words) > 1 and words[1].isdigit() else code
            return Program(runs_s=total_s, exit_code=code, ignores_term=ignores_term)
        if name in ("true", ":", "trap") or name in INSTANT:
            code = 0
        elif name == "false":
            code = 1
        elif name == "sleep" and len(words) > 1 and (match := _TIME.match(words[1])):
            total_s, code = total_s + float(match[1]) * UNITS[match[2]], 0
        elif any(part in name for part in ABSENT):
            code = 127
        else:
            return Program(ignores_term=ignores_term)
    return Program(runs_s=total_s, exit_code=code, ignores_term=ignores_term)
