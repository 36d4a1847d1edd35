"""What only newer kubectls can do: the command, since when, what it then says, and what older ones say instead.

docs/compat.md shows this table; `test_kubectl_newer.py` holds every version to it, so that a reason cannot go stale.
"""

from __future__ import annotations

import msgspec


class Since(msgspec.Struct, frozen=True):
    """title: as the page says it. minor: of the first version that knows it. words: FOLDER is the test's. said: a pattern, of both outputs."""

    title: str
    minor: int
    words: str
    said: str
    older: str
    stdin: str = ""


DEBUG = "debug looked-into --image=busybox:1.36"
STATUS = """{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "newer"},
             "status": {"conditions": [{"type": "Mine", "status": "True"}]}}"""
SINCE = (
    Since("`kubectl diff --concurrency`", 28, "diff --concurrency=2 -f FOLDER/newer.json", "^$", "unknown flag: --concurrency"),
    Since("`kubectl wait --for=jsonpath={.PATH}`, without a value", 28,
          "wait --for=jsonpath={.status.readyReplicas} deployment/newer --timeout=30s", "newer condition met",
          "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3"),
    Since("`kubectl delete --interactive`", 29, "delete deployment newer --interactive",
          "about to delete the following 1 resource.*deletion is cancelled", "unknown flag: --interactive", stdin="n\n"),
    Since("`kubectl debug --profile=sysadmin`", 30, f"{DEBUG} --profile=sysadmin -c root -- sleep 60", "", "unknown profile: sysadmin"),
    Since("`kubectl debug --custom`", 31, f"{DEBUG} --custom=FOLDER/custom.json -c custom -- sleep 60", "", "unknown flag: --custom"),
    Since("`kubectl debug --keep-labels`", 31, f"{DEBUG} --copy-to=labelled --profile=general --keep-labels -c look -- sleep 60", "",
          "unknown flag: --keep-labels"),
    Since("`kubectl wait --for=create`", 31, "wait --for=create deployment/newer --timeout=30s", "newer condition met",
          'unrecognized condition: "create"'),
    Since("`kubectl apply --subresource`", 32, "apply --server-side --subresource=status --field-manager=mine -f -",
          "newer serverside-applied", "unknown flag: --subresource", stdin=STATUS),
    Since("aliases in a kuberc file (`KUBECTL_KUBERC=true`)", 33, "getn --kuberc FOLDER/kuberc -n shop", "host-0", 'unknown command "getn"'),
)  # fmt: skip
