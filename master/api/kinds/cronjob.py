"""CronJob: Jobs by the clock. Defaults, columns, the syntax of schedules (five fields, or one of the words), time zones."""

from __future__ import annotations

import functools
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import job, replicaset, rules
from master.api.kinds.columns import AGE, NAME, Column, at, boolean, plain, since, template_columns

MAX_NAME = 52
"""A Job's name is the CronJob's and eleven characters more, and has to fit into 63."""
WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()
FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, {name: i + 1 for i, name in enumerate(_MONTHS)}),
    (0, 6, {name: i for i, name in enumerate(_DAYS)}),
)  # fmt: skip
"""Minute, hour, day of the month, month, day of the week: the lowest and the highest value, and the names that count."""
_ZONE_PART = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_+-]*")
_PART = re.compile(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\d+))?")

COLUMNS = (
    NAME,
    plain("Schedule", "spec.schedule", "When its Jobs are made."),
    plain("Timezone", "spec.timeZone", "The time zone of the schedule.", absent="<none>"),
    Column("Suspend", lambda d, now: boolean(at(d, "spec.suspend")).capitalize(), description="No further Jobs are made."),
    Column("Active", lambda d, now: len(at(d, "status.active") or ()), type="integer", description="How many Jobs are running."),
    Column("Last Schedule", lambda d, now: since(at(d, "status.lastScheduleTime"), now) if at(d, "status.lastScheduleTime") else "<none>",
           description="When a Job was last made."),
    AGE,
    *template_columns("spec.jobTemplate.spec"),
)  # fmt: skip


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {}


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    jobs = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    replicaset.default_template(jobs)
    job.default_failure_policy(jobs)


def _part(text: str, low: int, high: int, *, names: dict[str, int]) -> str:
    """What is wrong with one part of a comma-separated field; empty if nothing is."""
    match = _PART.fullmatch(text)
    if match is None:
        return f"failed to parse {text}"
    if match[3] == "0":
        return f"step of range should be a positive number: {text}"
    numbers = []
    for word in match.group(1, 2):
        if word is None or word in "*?":
            continue
        value = names.get(word.lower(), word)
        if isinstance(value, str) and not value.isdigit():
            return f"failed to parse int from {word}"
        numbers.append(int(value))
    if any(number < low for number in numbers):
        return f"beginning of range ({min(numbers)}) below minimum ({low}): {text}"
    if any(number > high for number in numbers):
        return f"end of range ({max(numbers)}) above maximum ({high}): {text}"
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        return f"beginning of range ({numbers[0]}) beyond end of range ({numbers[1]}): {text}"
    return ""


def schedule_problem(schedule: str) -> str:
    """What is wrong with a schedule, in words; empty if it is sound."""
    if schedule.startswith("@"):
        sound = schedule in WORDS or re.fullmatch(r"@every ([0-9.]+(ns|us|ms|s|m|h))+", schedule)
        return "" if sound else f"unrecognized descriptor: {schedule}"
    parts = schedule.split()
    if len(parts) != len(FIELDS):
        return f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]"
    for text, (low, high, names) in zip(parts, FIELDS, strict=True):
        for each in text.split(","):
            if problem := _part(each, low, high, names=names):
                return problem
    return ""


def zone_causes(field: str, zone: str) -> list[FieldCause]:
    if not zone:
        return [rules.invalid(field, zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [rules.invalid(field, zone, why)]
    return [] if is_known_zone(zone) else [rules.invalid(field, zone, f"unknown time zone {zone}")]


@functools.lru_cache(maxsize=1024)
def is_known_zone(zone: str) -> bool:
    """By the system's time zone data, or the package's where the system has none."""
    if not all(_ZONE_PART.fullmatch(part) for part in zone.split("/")):
        return False
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found = new.get("spec", {}), rules.metadata(new)
    name, schedule, zone = new["metadata"].get("name", ""), spec.get("schedule", ""), spec.get("timeZone")
    if old is None and len(name) > MAX_NAME:
        found.append(rules.invalid("metadata.name", name, f"must be no more than {MAX_NAME} characters"))
    if not schedule:
        found.append(rules.required("spec.schedule"))
    elif "TZ" in schedule:
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        found.append(rules.invalid("spec.schedule", schedule, why))
    elif problem := schedule_problem(schedule):
        found.append(rules.invalid("spec.schedule", schedule, problem))
    if zone is not None:
        found += zone_causes("spec.timeZone", zone)
    found += rules.one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ("Allow", "Forbid", "Replace"))
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        found += rules.not_negative(f"spec.{field}", spec.get(field))
    jobs, before = at(spec, "jobTemplate.spec") or {}, at(old or {}, "spec.jobTemplate.spec")
    if jobs.get("manualSelector"):
        supported = ("nil", "false")
        found.append(rules.unsupported("spec.jobTemplate.spec.manualSelector", True, supported))
    return found + job.validate_spec(jobs, before, "spec.jobTemplate.spec")
