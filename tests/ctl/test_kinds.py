"""The words for kinds on the command line, and what they mean."""

from __future__ import annotations

import click
import pytest

from ctl.kinds import Kinds, of_discovery
from master.api import discovery
from master.api.catalog import Catalog


@pytest.fixture(scope="module")
def kinds() -> Kinds:
    """As the master's own discovery says."""
    core, named = (discovery.aggregated(Catalog(), core=core) for core in (True, False))
    return of_discovery({"items": [*core["items"], *named["items"]]})


@pytest.mark.parametrize(
    ("word", "resource"),
    [
        pytest.param("pods", "pods", id="plural"), pytest.param("Pod", "pods", id="kind"), pytest.param("po", "pods", id="short name"),
        pytest.param("deploy", "deployments.v1.apps", id="of a group"), pytest.param("deployments.apps", "deployments.v1.apps", id="with its group"),
        pytest.param("deployments.v1.apps", "deployments.v1.apps", id="with version and group"),
        pytest.param("events", "events", id="of two groups, the core's"),
        pytest.param("events.events.k8s.io", "events.v1.events.k8s.io", id="of two groups, the other's"),
        pytest.param("hpa.v1.autoscaling", "horizontalpodautoscalers.v1.autoscaling", id="an older version"),
    ],
)  # fmt: skip
def test_words(kinds: Kinds, word: str, resource: str):
    assert kinds.named(word).resource == resource


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        pytest.param(("pods",), ["pod/"], id="all of a kind"),
        pytest.param(("po,svc",), ["pod/", "service/"], id="all of two kinds"),
        pytest.param(("deploy", "a", "b"), ["deployment.apps/a", "deployment.apps/b"], id="names of a kind"),
        pytest.param(("po/a", "deploy/b"), ["pod/a", "deployment.apps/b"], id="names with their kinds"),
        pytest.param(("po,svc", "a"), ["pod/a", "service/a"], id="a name in two kinds"),
    ],
)
def test_targets(kinds: Kinds, words: tuple[str, ...], meant: list[str]):
    assert [target.kind.label(target.name) for target in kinds.targets(words)] == meant


def test_all_is_what_one_works_with(kinds: Kinds):
    assert {"pod", "service", "deployment", "replicaset", "job"} <= {kind.singular for kind in kinds.meant("all")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name what: KIND"), (("unicorns",), 'doesn\'t have a resource type "unicorns": kctl api-resources'),
        (("pods", "po/a"), "no need to name a kind apart"), (("po/",), "is not of the form KIND/NAME"), (("a/b/c",), "is not of the form KIND/NAME"),
        (("deployments.batch",), "doesn't have a resource type"),
    ],
)  # fmt: skip
def test_words_that_mean_nothing(kinds: Kinds, words: tuple[str, ...], said: str):
    with pytest.raises(click.ClickException, match=said):
        kinds.targets(words)
