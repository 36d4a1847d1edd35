"""Which definitions get the names they ask for, and what is said of it."""

from __future__ import annotations

import msgspec

from common.objects.customresource import CustomResourceDefinition
from master.api import registry
from master.api.crd import names

NOW = "2030-01-01T00:00:00Z"


def definition(plural: str, kind: str, *, group: str = "example.test", made: int = 0, short: tuple[str, ...] = (), status: object = None):
    document = {
        "metadata": {"name": f"{plural}.{group}", "creationTimestamp": f"2029-01-01T00:00:{made:02}Z"},
        "spec": {
            "group": group, "versions": [{"name": "v1", "served": True, "storage": True}],
            "names": {"plural": plural, "kind": kind, "singular": kind.lower(), "listKind": f"{kind}List", "shortNames": list(short)},
        },
        "status": status or {},
    }  # fmt: skip
    return msgspec.convert(document, CustomResourceDefinition)


def reasons(*definitions: CustomResourceDefinition) -> list[tuple[str, str, str]]:
    found = names.judge(definitions, registry.RESOURCES)
    return [(verdict.definition.metadata.name, verdict.reason, verdict.taken) for verdict in found]


def test_the_first_to_ask_has_the_name() -> None:
    late, early = definition("gadgets", "Gadget", made=9, short=("gg",)), definition("gizmos", "Gizmo", made=1, short=("gg",))
    assert reasons(late, early) == [("gizmos.example.test", "", ""), ("gadgets.example.test", "ShortNamesConflict", "gg")]


def test_a_kind_is_a_name_too() -> None:
    found = reasons(definition("gadgets", "Gadget"), definition("gears", "Gadget", made=1))
    assert found[1] == ("gears.example.test", "SingularConflict", "gadget")


def test_another_group_is_another_matter() -> None:
    assert all(not reason for _, reason, _ in reasons(definition("gadgets", "Gadget"), definition("gadgets", "Gadget", group="other.test")))


def test_names_of_the_servers_own_are_taken() -> None:
    assert reasons(definition("jobs", "Work", group="batch"))[0][1:] == ("PluralConflict", "jobs")


def test_accepted_names_establish_at_once_and_a_status_that_says_so_is_left_alone() -> None:
    one = definition("gadgets", "Gadget")
    status = names.status(names.judge([one], ())[0], NOW)
    assert status is not None
    assert [(c["type"], c["status"], c["lastTransitionTime"]) for c in status["conditions"]] == [
        ("NamesAccepted", "True", NOW), ("Established", "True", NOW)
    ]  # fmt: skip
    assert (status["acceptedNames"]["kind"], status["storedVersions"]) == ("Gadget", ["v1"])
    told = definition("gadgets", "Gadget", status={**status, "acceptedNames": {k: v for k, v in status["acceptedNames"].items() if v}})
    assert names.status(names.judge([told], ())[0], "2031-01-01T00:00:00Z") is None


def test_refused_names_say_which() -> None:
    verdict = names.judge([definition("gizmos", "Gizmo"), definition("gadgets", "Gizmo", made=1)], ())[1]
    status = names.status(verdict, NOW)
    assert status is not None
    assert [(c["status"], c["reason"], c["message"]) for c in status["conditions"]] == [
        ("False", "SingularConflict", '"gizmo" is already in use'), ("False", "NotAccepted", "not all names are accepted"),
    ]  # fmt: skip
