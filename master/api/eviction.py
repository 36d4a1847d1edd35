"""Eviction: a deletion of a pod that asks its PodDisruptionBudget first.

The budget's status says how many pods may go now (its controller counts). An eviction takes one of them by a compare-and-set of that
status and notes the pod there, so that two evictions at the same moment cannot both have the last one; then the pod is deleted as
ever. A pod that does not count as healthy, has ended, or was never started takes nothing away.
"""

from __future__ import annotations

from collections.abc import Callable

from common.clock import Clock, rfc3339
from common.errors import FieldCause, SteersmanError, TooManyRequests
from common.objects import selectors
from common.objects.pod import Pod
from common.objects.policy import PodDisruptionBudget
from master.api.contract import Actor, DeleteOptions, Document, Ref, Role, Stored, Views, WriteOptions
from master.api.registry import BY_KEY
from master.api.remove import Remover
from master.api.write import Target, Writer
from master.store.contract import Cause

BUDGETS, PODS = BY_KEY["poddisruptionbudgets.policy"], BY_KEY["pods"]
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
RETRY_S = 10
ALWAYS_ALLOW = "AlwaysAllow"
ACTOR = Actor("system:apiserver", Role.API)


def budgets_of(views: Views, pod: Pod) -> list[PodDisruptionBudget]:
    """Those whose selector covers the pod; one without a selector covers nothing."""
    return [
        budget for budget in views.list(PodDisruptionBudget, BUDGETS.key, pod.metadata.namespace)
        if budget.spec.selector is not None and selectors.of(budget.spec.selector).matches(pod.metadata.labels)
    ]  # fmt: skip


def is_free(pod: Pod) -> bool:
    """It has ended, is not started or is going already: no budget counts it."""
    return pod.status.phase in ("Succeeded", "Failed", "Pending") or pod.metadata.deletion_timestamp is not None


def _takes(pod: Pod, budget: PodDisruptionBudget) -> bool:
    """Whether its going takes something away from the budget."""
    if pod.ready:
        return True
    if budget.spec.unhealthy_pod_eviction_policy == ALWAYS_ALLOW:
        return False
    return not budget.status.current_healthy >= budget.status.desired_healthy > 0


def refusal(why: str, *, retry_after_s: int | None = None) -> TooManyRequests:
    """Subtle: without a time to come back, as in Kubernetes: clients would wait it out silently, again and again, instead of telling."""
    return TooManyRequests(REFUSED, causes=(FieldCause("DisruptionBudget", why),), retry_after_s=retry_after_s)


def taken(pod: str, now: float) -> Callable[[Document], Document]:
    """The change of a budget that lets this pod go. Raises TooManyRequests when it may not."""

    def propose(budget: Document) -> Document:
        meta, status = budget["metadata"], budget.get("status") or {}
        name = meta["name"]
        if status.get("observedGeneration", 0) < meta.get("generation", 0):
            raise refusal(f"The disruption budget {name} is still being processed by the server.", retry_after_s=RETRY_S)
        allowed, needed, healthy = (status.get(k, 0) for k in ("disruptionsAllowed", "desiredHealthy", "currentHealthy"))
        if allowed < 1:
            raise refusal(f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently")
        gone = {**(status.get("disruptedPods") or {}), pod: rfc3339(now)}
        return {**budget, "status": {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": gone}}

    return propose


class Evictor:
    def __init__(self, views: Views, writer: Writer, remover: Remover, clock: Clock) -> None:
        self._views = views
        self._writer = writer
        self._remover = remover
        self._clock = clock

    async def evict(self, actor: Actor, ref: Ref, options: DeleteOptions) -> tuple[Stored, bool]:
        """The pod, and whether it is gone. Raises NotFound, Conflict (a precondition), TooManyRequests (the budget)."""
        pod = self._views.get(Pod, ref)
        if pod is not None and not is_free(pod):
            budgets = budgets_of(self._views, pod)
            if len(budgets) > 1:
                raise SteersmanError(
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
                )
            if budgets and _takes(pod, budgets[0]):
                await self._take(pod, budgets[0].metadata.name, options)
        return await self._remover.delete(actor, PODS, ref, options=options)

    async def _take(self, pod: Pod, budget: str, options: DeleteOptions) -> None:
        why = f"pod {pod.metadata.name} is evicted"
        write = WriteOptions(dry_run=options.dry_run, cause=Cause(ACTOR.name, "Eviction", why, int(pod.metadata.resource_version)))
        target = Target(
            ACTOR, BUDGETS, Ref(BUDGETS.key, budget, pod.metadata.namespace), "update", subresource="status", options=write
        )
        await self._writer.change(target, taken(pod.metadata.name, self._clock.now()))
