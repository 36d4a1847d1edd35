"""PodDisruptionBudget, as its controller and the eviction of pods read it, and how many pods a workload wants, whichever it is."""

from __future__ import annotations

from common.objects import meta


class BudgetSpec(meta.View):
    """min_available, max_unavailable: a count or a percentage; at most one of them is set."""

    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: meta.LabelSelector | None = None
    unhealthy_pod_eviction_policy: str = ""


class BudgetStatus(meta.View):
    """disrupted_pods: evicted, but not yet seen to be gone; since when (RFC 3339)."""

    observed_generation: int = 0
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    disrupted_pods: dict[str, str] = {}
    conditions: tuple[meta.Condition, ...] = ()


class PodDisruptionBudget(meta.View):
    metadata: meta.Meta
    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()


class ScaledSpec(meta.View):
    replicas: int = 1


class Scaled(meta.View):
    """Anything with `spec.replicas`."""

    metadata: meta.Meta
    spec: ScaledSpec = ScaledSpec()
