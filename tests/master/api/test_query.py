"""Query parameters and DeleteOptions: what they mean, and which combinations are refused."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import BadRequest, Invalid, SteersmanError
from master.api.contract import DeleteOptions, Selection
from master.api import query

LISTS = {
    "nothing": ({}, query.ListQuery()),
    "a page": ({"limit": "500", "continue": "abc"}, query.ListQuery(limit=500, continue_="abc")),
    "any version will do": ({"resourceVersion": "0"}, query.ListQuery()),
    "not older than": ({"resourceVersion": "7", "resourceVersionMatch": "NotOlderThan"}, query.ListQuery(revision=7)),
    "exactly as of": ({"resourceVersion": "7", "resourceVersionMatch": "Exact"}, query.ListQuery(revision=7, exact=True)),
    "a limited list at a revision is exact": ({"resourceVersion": "7", "limit": "2"}, query.ListQuery(limit=2, revision=7, exact=True)),
    "selectors": (
        {"labelSelector": "a=b", "fieldSelector": "status.phase=Running"},
        query.ListQuery(Selection("a=b", "status.phase=Running")),
    ),
}
BAD_LISTS = {
    "a limit in words": {"limit": "many"},
    "a match without a version": {"resourceVersionMatch": "Exact"},
    "a match with a token": {"resourceVersionMatch": "Exact", "resourceVersion": "3", "continue": "x"},
    "a version with a token": {"resourceVersion": "3", "continue": "x"},
    "exactly the version nought": {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
    "an unknown match": {"resourceVersionMatch": "Roughly", "resourceVersion": "3"},
    "initial events of a list": {"sendInitialEvents": "true"},
    "digits of another script": {"resourceVersion": "٣"},
}
WATCHES = {
    "from the present state": ({}, query.WatchQuery()),
    "from nought": ({"resourceVersion": "0"}, query.WatchQuery()),
    "after a revision": ({"resourceVersion": "9", "allowWatchBookmarks": "true"}, query.WatchQuery(after=9, bookmarks=True)),
    "with the state first": (
        {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "1", "resourceVersion": "9"},
        query.WatchQuery(initial=True, bookmarks=True),
    ),
    "from now on": ({"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"}, query.WatchQuery(from_now=True)),
    "for a while": ({"timeoutSeconds": "30"}, query.WatchQuery(timeout_s=30)),
}
BAD_WATCHES = {
    "the state first, without a match": {"sendInitialEvents": "true"},
    "the state first, exactly": {"sendInitialEvents": "true", "resourceVersionMatch": "Exact", "resourceVersion": "3"},
    "a match without asking for the state": {"resourceVersionMatch": "NotOlderThan", "resourceVersion": "3"},
    "a timeout in words": {"timeoutSeconds": "soon"},
}


@pytest.mark.parametrize(("asked", "meant"), LISTS.values(), ids=LISTS)
def test_a_list_means(asked: dict[str, str], meant: query.ListQuery) -> None:
    assert query.for_list(asked) == meant


@pytest.mark.parametrize("asked", BAD_LISTS.values(), ids=BAD_LISTS)
def test_a_list_is_refused_for(asked: dict[str, str]) -> None:
    with pytest.raises((BadRequest, Invalid)):
        query.for_list(asked)


@pytest.mark.parametrize(("asked", "meant"), WATCHES.values(), ids=WATCHES)
def test_a_watch_starts(asked: dict[str, str], meant: query.WatchQuery) -> None:
    assert query.for_watch(asked) == meant


@pytest.mark.parametrize("asked", BAD_WATCHES.values(), ids=BAD_WATCHES)
def test_a_watch_is_refused_for(asked: dict[str, str]) -> None:
    with pytest.raises((BadRequest, Invalid)):
        query.for_watch(asked)


def test_a_watch_of_one_object_selects_its_name_besides_what_was_asked() -> None:
    assert query.for_watch({"fieldSelector": "status.phase=Running"}, name="p").selection.fields == "metadata.name=p,status.phase=Running"


@pytest.mark.parametrize(("value", "meant"), [("true", True), ("1", True), ("", True), ("yes", True), ("false", False), ("0", False)])
def test_a_flag_is_true_unless_it_says_no(value: str, meant: bool) -> None:
    assert query.flag({"watch": value}, "watch") is meant


DELETIONS: dict[str, tuple[dict[str, str], Any, DeleteOptions]] = {
    "nothing": ({}, None, DeleteOptions()),
    "kubectl's": ({}, {"propagationPolicy": "Background"}, DeleteOptions(propagation="Background")),
    "by force": ({}, {"gracePeriodSeconds": 0, "kind": "DeleteOptions", "apiVersion": "v1"}, DeleteOptions(grace_s=0)),
    "in the query": ({"gracePeriodSeconds": "5", "propagationPolicy": "Orphan"}, None, DeleteOptions(grace_s=5, propagation="Orphan")),
    "the body wins": ({"gracePeriodSeconds": "5"}, {"gracePeriodSeconds": 1}, DeleteOptions(grace_s=1)),
    "of one very object": (
        {}, {"preconditions": {"uid": "u", "resourceVersion": "4"}}, DeleteOptions(uid="u", resource_version="4")
    ),
    "the old way to orphan": ({}, {"orphanDependents": True}, DeleteOptions(propagation="Orphan")),
    "tried only": ({"dryRun": "All"}, None, DeleteOptions(dry_run=True)),
    "tried only, in the body": ({}, {"dryRun": ["All"]}, DeleteOptions(dry_run=True)),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "body", "meant"), DELETIONS.values(), ids=DELETIONS)
def test_a_deletion_means(asked: dict[str, str], body: Any, meant: DeleteOptions) -> None:
    assert query.for_delete(asked, body) == meant


@pytest.mark.parametrize(
    "body",
    [{"kind": "Pod"}, {"gracePeriodSeconds": "soon"}, {"propagationPolicy": "Sideways"}, [], {"dryRun": ["Some"]},
     {"orphanDependents": True, "propagationPolicy": "Orphan"}],
    ids=["another kind", "a wrong type", "an unknown policy", "a list", "an unknown dry run", "both ways to orphan"],
)  # fmt: skip
def test_a_deletion_is_refused_for(body: Any) -> None:
    with pytest.raises(SteersmanError):
        query.for_delete({}, body or ["x"])


def test_a_write_warns_by_default_and_is_known_by_its_client() -> None:
    options = query.for_write({}, user_agent="kubectl/v1.33.0 (linux)", kind="CreateOptions", warnings=[])
    assert (options.field_validation, options.field_manager, options.dry_run) == ("Warn", "kubectl", False)


@pytest.mark.parametrize("asked", [{"fieldValidation": "Maybe"}, {"dryRun": "Some"}, {"dryRun": ""}], ids=str)
def test_a_write_is_refused_for(asked: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        query.for_write(asked, user_agent="", kind="CreateOptions", warnings=[])
