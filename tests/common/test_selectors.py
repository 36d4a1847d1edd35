"""Label and field selectors match as kubectl users know them."""

import pytest

from common.errors import BadRequest
from common.objects import meta, selectors


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {"a": "b"}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a in (b, c)", {"a": "c"}, True),
        ("a notin (b,c)", {"a": "c"}, False),
        ("a notin (b,c)", {}, True),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a,!b,c=d", {"a": "1", "c": "d"}, True),
        ("a=", {"a": ""}, True),
        ("n>3", {"n": "4"}, True),
        ("n<3", {"n": "x"}, False),
        ("example.com/role=web", {"example.com/role": "web"}, True),
    ],
)
def test_a_label_selector_matches(text: str, labels: dict[str, str], matches: bool) -> None:
    assert selectors.parse_labels(text).matches(labels) is matches


@pytest.mark.parametrize("text", ["a b", "a=(", "a in b", "-x=1", "a=b,", "a in (b", "=b", "a=b=c", "a!", "x" * 64 + "=1"])
def test_a_label_selector_that_cannot_be_parsed_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest, match="(unable to parse requirement: )?.*(found|Invalid value)"):
        selectors.parse_labels(text)


def test_the_typed_form_and_its_text() -> None:
    typed = meta.LabelSelector(
        match_labels={"b": "1"},
        match_expressions=(meta.SelectorRequirement("a", "In", ("y", "x")), meta.SelectorRequirement("c", "DoesNotExist")),
    )
    assert selectors.of(typed).text() == "a in (x,y),b=1,!c"
    assert selectors.of(typed).matches({"a": "x", "b": "1"})
    assert not selectors.of(None).matches({})
    assert selectors.of(meta.LabelSelector()).matches({"any": "thing"})


@pytest.mark.parametrize(
    ("text", "fields", "matches"),
    [
        ("metadata.name=x", {"metadata.name": "x"}, True),
        ("status.phase!=Failed,status.phase!=Succeeded", {"status.phase": "Running"}, True),
        ("status.phase!=Failed", {"status.phase": "Failed"}, False),
        ("spec.nodeName=", {}, True),
        (r"reason=a\,b", {"reason": "a,b"}, True),
        ("involvedObject.name==w", {"involvedObject.name": "w"}, True),
    ],
)
def test_a_field_selector_matches(text: str, fields: dict[str, str], matches: bool) -> None:
    assert selectors.parse_fields(text).matches(fields) is matches


def test_a_field_selector_names_its_fields_and_refuses_nonsense() -> None:
    assert selectors.parse_fields("a=1,b!=2").names == ("a", "b")
    assert selectors.parse_fields("metadata.name=x").exact("metadata.name") == "x"
    with pytest.raises(BadRequest):
        selectors.parse_fields("nonsense")
