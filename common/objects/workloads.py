"""ReplicaSet and Deployment, as the controllers read them.

`template` is the raw document (a dict), because pods and ReplicaSets are created from it whole.
"""

from __future__ import annotations

from common.objects import meta


class ReplicaSetSpec(meta.View):
    selector: meta.LabelSelector = meta.LabelSelector()
    replicas: int = 1
    min_ready_seconds: int = 0
    template: dict = {}


class ReplicaSetStatus(meta.View):
    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0
    conditions: tuple[meta.Condition, ...] = ()


class ReplicaSet(meta.View):
    metadata: meta.Meta
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


class RollingUpdate(meta.View):
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"


class DeploymentStrategy(meta.View):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(meta.View):
    selector: meta.LabelSelector = meta.LabelSelector()
    replicas: int = 1
    min_ready_seconds: int = 0
    paused: bool = False
    revision_history_limit: int | None = 10
    progress_deadline_seconds: int | None = 600
    strategy: DeploymentStrategy = DeploymentStrategy()
    template: dict = {}


class DeploymentStatus(meta.View):
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    observed_generation: int = 0
    collision_count: int | None = None
    conditions: tuple[meta.Condition, ...] = ()


class Deployment(meta.View):
    metadata: meta.Meta
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()
