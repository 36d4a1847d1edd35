"""Lists, pages, selectors and forms of what is read, as raw requests."""

from __future__ import annotations

import base64
import json

import pytest

from tests.master.semantics.ground import ABSENT, Case, Ground, answered, config, ids, invalid, pod, refused, with_meta

LIST, WHAT = "GET {n}/configmaps", 'ListOptions.meta.k8s.io ""'
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIALS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
MATCH = "resourceVersionMatch"
NO_MATCH = ("FieldValueForbidden", MATCH, "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided")


def bad(message: str, query: str, name: str, where: str = LIST) -> Case:
    return refused(name, f"{where}?{query}", code=400, reason="BadRequest", message=message)


def forbidden(why: str, field: str = MATCH) -> tuple[str, str, str]:
    return ("FieldValueForbidden", field, f"Forbidden: {why}")


OPTIONS = [
    bad('strconv.ParseInt: parsing "x": invalid syntax', "limit=x", "a limit that is no number"),
    bad('strconv.ParseInt: parsing "x": invalid syntax', "timeoutSeconds=x", "a time that is no number"),
    answered("a negative limit is none", f"{LIST}?limit=-1", shows={"metadata.continue": ABSENT}),
    refused("a revision that is no number", f"{LIST}?resourceVersion=x", code=422, reason="Invalid",
            message='resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
            causes=[("FieldValueInvalid", "resourceVersion", 'Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax')]),
    invalid("a match without a revision", f"{LIST}?{MATCH}=Exact", of=WHAT, causes=[NO_MATCH], details={"kind": "ListOptions", "group": "meta.k8s.io"}),
    invalid("an unknown match, without a revision", f"{LIST}?{MATCH}=Maybe", of=WHAT, causes=[
        NO_MATCH, ("FieldValueNotSupported", MATCH, 'Unsupported value: "Maybe": supported values: "Exact", "NotOlderThan", ""'),
    ]),
    invalid("exactly anything", f"{LIST}?{MATCH}=Exact&resourceVersion=0", of=WHAT, causes=[
        forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
    ]),
    invalid("a match when going on", f"{LIST}?{MATCH}=Exact&resourceVersion=1&continue=x", of=WHAT, causes=[
        forbidden("resourceVersionMatch is forbidden when continue is provided"),
    ]),
    invalid("initial events of a list", f"{LIST}?sendInitialEvents=true", of=WHAT, causes=[
        forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents"),
    ]),
    bad("specifying resource version is not allowed when using continue", "resourceVersion=1&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0",
        "a revision when going on"),
    bad("invalid continue token: continue key is not valid…", "continue=%2A%2A", "a token that is no base64"),
    bad("invalid continue token: continue key is not valid…", "continue=bm9uc2Vuc2U", "a token that is no JSON"),
    refused("a revision of the future", f"{LIST}?resourceVersion=999999999", code=504, reason="Timeout",
            message="Timeout: Too large resource version: 999999999, current:…",
            causes=[("ResourceVersionTooLarge", "", "Too large resource version")]),
    refused("an object of the future", "GET {n}/configmaps/c?resourceVersion=999999999", code=504, reason="Timeout", given=[("POST {n}/configmaps", config())],
            message="Timeout: Too large resource version: 999999999, current:…",
            causes=[("ResourceVersionTooLarge", "", "Too large resource version")]),
    answered("any revision will do", f"{LIST}?resourceVersion=0", given=[("POST {n}/configmaps", config())], shows={"items.0.metadata.name": "c"}),
    answered("not older than the first", f"{LIST}?resourceVersion=1&{MATCH}=NotOlderThan", given=[("POST {n}/configmaps", config())],
             shows={"items.0.metadata.name": "c"}),
]  # fmt: skip

LABELS = [
    bad("found '==', expected: !, identifier, or 'end of string'", "labelSelector=%3D%3D", "no key"),
    bad("found '', expected: identifier after ','", "labelSelector=a%3Db,", "a comma at the end"),
    bad("found 'c', expected: ',' or 'end of string'", "labelSelector=a%3Db%20c", "two values"),
    bad("unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt", "labelSelector=a%20b", "an unknown operator"),
    bad("unable to parse requirement: found 'b' expected: '('", "labelSelector=a%20in%20b", "a set without its bracket"),
    bad(f'unable to parse requirement: <nil>: Invalid value: "-a": {QUALIFIED}', "labelSelector=-a", "a key that is none"),
    bad(f'unable to parse requirement: values[0][a]: Invalid value: "-b": {VALUE}', "labelSelector=a%3D-b", "a value that is none"),
    bad('unable to parse requirement: values[0]: Invalid value: "b": for \'Gt\', \'Lt\' operators, the value must be an integer',
        "labelSelector=a%3Eb", "more than a word"),
]  # fmt: skip

FIELDS = [
    bad("invalid selector: 'x'; can't understand 'x'", "fieldSelector=x", "no operator"),
    bad('"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"', "fieldSelector=spec.x%3D1", "an unknown field"),
    bad("field label not supported: spec.x", "fieldSelector=spec.x%3D1", "an unknown field of a kind that has some", "GET {n}/pods"),
    bad("field label not supported: data", "fieldSelector=data%3D1", "of another kind", "GET {n}/secrets"),
]  # fmt: skip

FORMS = [
    refused("an unknown inclusion", f"{LIST}?includeObject=x", None, {"Accept": TABLE}, code=400, reason="BadRequest",
            message="includeObject: Invalid value: \"x\": must be 'Metadata', 'Object', 'None', or empty"),
    answered("a table of whole objects", f"{LIST}?includeObject=Object", None, {"Accept": TABLE}, given=[("POST {n}/configmaps", config())],
             shows={"kind": "Table", "apiVersion": "meta.k8s.io/v1", "rows.0.object.data.color": "blue", "rows.0.cells.0": "c"}),
    answered("a table of metadata", LIST, None, {"Accept": TABLE}, given=[("POST {n}/configmaps", config())],
             shows={"rows.0.object.kind": "PartialObjectMetadata", "rows.0.object.data": ABSENT}),
    answered("a table of nothing but cells", f"{LIST}?includeObject=None", None, {"Accept": TABLE}, given=[("POST {n}/configmaps", config())],
             shows={"rows.0.object": None, "rows.0.cells.1": 1}),
    answered("metadata alone", LIST, None, {"Accept": PARTIALS}, given=[("POST {n}/configmaps", config())],
             shows={"kind": "PartialObjectMetadataList", "items.0.metadata.name": "c", "items.0.data": ABSENT}),
    answered("items of a list say no kind", LIST, given=[("POST {n}/configmaps", config())], shows={"kind": "ConfigMapList", "apiVersion": "v1"}),
    refused("an unknown form", LIST, None, {"Accept": "text/html"}, code=406, reason="NotAcceptable", message="only the following media types are accepted:…"),
    answered("a table of another version", LIST, None, {"Accept": TABLE.replace("v1", "v1beta1")}, shows={"apiVersion": "meta.k8s.io/v1beta1"}),
]  # fmt: skip

ABSENCES = [
    refused("an object that is not there", "GET {n}/configmaps/none", code=404, reason="NotFound", message='configmaps "none" not found',
            details={"name": "none", "kind": "configmaps", "group": ABSENT}),
    refused("one of a group", "GET {apps}/deployments/none", code=404, reason="NotFound", message='deployments.apps "none" not found',
            details={"name": "none", "kind": "deployments", "group": "apps"}),
    refused("a resource that is not served", "GET {n}/gadgets", code=404, reason="NotFound", message="the server could not find the requested resource"),
    refused("a group that is not served", "GET /apis/nowhere/v1/things", code=404, reason="NotFound",
            message="the server could not find the requested resource"),
    refused("a version that is not served", "GET /apis/apps/v1beta1/deployments", code=404, reason="NotFound",
            message="the server could not find the requested resource"),
    refused("a subresource that the kind has not", "GET {n}/configmaps/c/status", code=404, reason="NotFound",
            message="the server could not find the requested resource"),
]  # fmt: skip


@pytest.mark.parametrize("case", [*OPTIONS, *LABELS, *FIELDS, *FORMS, *ABSENCES], ids=ids)
def test_reading(ground: Ground, case: Case) -> None:
    ground.play(case)


PODS = [with_meta(pod("a", nodeName="n1"), labels={"app": "web", "n": "1"}), with_meta(pod("b"), labels={"app": "db", "n": "20"}), pod("c")]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("labelSelector=app", "a b"), ("labelSelector=!app", "c"), ("labelSelector=app%3Dweb", "a"), ("labelSelector=app%3D%3Dweb", "a"),
        ("labelSelector=app!%3Dweb", "b c"), ("labelSelector=app in (web, db)", "a b"), ("labelSelector=app notin (web)", "b c"),
        ("labelSelector=app,n%3E5", "b"), ("labelSelector=n%3C5", "a"), ("labelSelector=app%3Dweb,app%3Ddb", ""), ("labelSelector=", "a b c"),
        ("fieldSelector=metadata.name%3Db", "b"), ("fieldSelector=metadata.name!%3Db", "a c"), ("fieldSelector=spec.nodeName%3Dn1", "a"),
        ("fieldSelector=spec.nodeName%3D", "b c"), ("fieldSelector=status.phase%3DPending,metadata.name%3D%3Dc", "c"),
        ("fieldSelector=metadata.namespace%3Dnone", ""), ("fieldSelector=spec.restartPolicy%3DAlways,spec.schedulerName!%3Dother", "a b c"),
        ("labelSelector=app&fieldSelector=spec.nodeName!%3Dn1", "b"),
    ],
)  # fmt: skip
def test_a_selector_chooses(ground: Ground, query: str, names: str) -> None:
    namespace = ground.namespace()
    for each in PODS:
        ground.made(f"POST /api/v1/namespaces/{namespace}/pods", each)
    found = ground.get(f"/api/v1/namespaces/{namespace}/pods?{query.replace(' ', '%20')}")
    assert [item["metadata"]["name"] for item in found["items"]] == names.split()


def configs(ground: Ground, count: int) -> str:
    path = f"/api/v1/namespaces/{ground.namespace()}/configmaps"
    for number in range(count):
        ground.made(f"POST {path}", config(f"c{number}"))
    return path


def names(page: dict) -> list[str]:
    return [item["metadata"]["name"] for item in page["items"]]


def test_all_pages_are_of_the_revision_of_the_first_whatever_is_written_meanwhile(ground: Ground) -> None:
    path = configs(ground, 7)
    page, seen, revisions = ground.get(f"{path}?limit=2"), [], set()
    left = []
    while True:
        seen += names(page)
        revisions.add(page["metadata"]["resourceVersion"])
        left.append(page["metadata"].get("remainingItemCount"))
        if "continue" not in page["metadata"]:
            break
        ground.made(f"POST {path}", config(f"c3-new{len(seen)}"))
        ground.made(f"DELETE {path}/c{6 - len(left)}")
        page = ground.get(f"{path}?limit=2&continue={page['metadata']['continue']}")
    assert seen == [f"c{number}" for number in range(7)]
    assert len(revisions) == 1 and left == [5, 3, 1, None]


def test_how_many_remain_is_not_told_of_a_selection(ground: Ground) -> None:
    path = configs(ground, 3)
    page = ground.get(f"{path}?limit=1&labelSelector=!none")
    assert page["metadata"]["continue"] and "remainingItemCount" not in page["metadata"]


def test_exactly_then_and_not_older_than_then(ground: Ground) -> None:
    path = configs(ground, 1)
    then = ground.get(path)["metadata"]["resourceVersion"]
    ground.made(f"POST {path}", config("later"))
    assert names(ground.get(f"{path}?resourceVersion={then}&resourceVersionMatch=Exact")) == ["c0"]
    assert names(ground.get(f"{path}?resourceVersion={then}&resourceVersionMatch=NotOlderThan")) == ["c0", "later"]
    assert names(ground.get(f"{path}?resourceVersion={then}")) == ["c0", "later"]
    assert names(ground.get(f"{path}?resourceVersion={then}&limit=5")) == ["c0"]


def test_a_forgotten_page_offers_to_go_on_from_now(ground: Ground) -> None:
    path = configs(ground, 4)
    first = ground.get(f"{path}?limit=2")
    ground.made(f"DELETE {path}/c2")
    ground.made(f"POST {path}", config("c9"))
    ground.run(ground.server.store.compact(ground.server.store.revision))
    code, body, _ = ground.ask(f"GET {path}?limit=2&continue={first['metadata']['continue']}")
    assert (code, body["reason"], body["code"]) == (410, "Expired", 410)
    assert body["message"] == (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
        "parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided "
        "token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was "
        "returned and now may show up in the list."
    )
    rest = ground.get(f"{path}?limit=5&continue={body['metadata']['continue']}")
    assert names(rest) == ["c3", "c9"]
    assert int(rest["metadata"]["resourceVersion"]) == ground.server.store.revision


def test_a_forgotten_revision_is_gone(ground: Ground) -> None:
    path = configs(ground, 2)
    ground.run(ground.server.store.compact(ground.server.store.revision))
    code, body, _ = ground.ask(f"GET {path}?resourceVersion=1&resourceVersionMatch=Exact")
    assert (code, body["reason"], body["message"]) == (410, "Expired", "The resourceVersion for the provided list is too old.")


def test_a_token_of_another_list_is_refused(ground: Ground) -> None:
    token = ground.get(f"{configs(ground, 2)}?limit=1")["metadata"]["continue"]
    code, body, _ = ground.ask(f"GET /api/v1/namespaces?continue={token}")
    assert (code, body["reason"]) == (400, "BadRequest") and body["message"].startswith("invalid continue token: continue key is not valid")
    told = json.loads(base64.urlsafe_b64decode(token + "=="))
    assert set(told) == {"v", "rv", "start"}
