"""Durations on the command line: `90s`, `30m`, `24h`, `7d`, or plain seconds; 0 where it means "for ever" or "none".

One click parameter type, used by every option that takes a time.
"""

from __future__ import annotations

import re

import click

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType):
    """Converts to whole seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,9})([smhd]?)", str(value))
        if match is None:
            self.fail(f"{value!r} is not a duration such as 90s, 30m, 24h or 7d", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


DURATION = Duration()
