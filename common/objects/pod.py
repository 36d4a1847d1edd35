"""Pod, as the scheduler, the controllers and the agent read it."""

from __future__ import annotations

import msgspec

from common.objects import meta
from common.objects.handlers import Lifecycle, Probe

IntOrString = int | str


class EnvVarSource(meta.View):
    """Where an environment variable's value comes from; each is the raw reference of its kind."""

    field_ref: dict | None = None
    resource_field_ref: dict | None = None
    config_map_key_ref: dict | None = None
    secret_key_ref: dict | None = None


class EnvVar(meta.View):
    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvFromSource(meta.View):
    prefix: str = ""
    config_map_ref: dict | None = None
    secret_ref: dict | None = None


class ContainerPort(meta.View):
    container_port: int
    name: str = ""
    host_port: int = 0
    protocol: str = "TCP"
    host_ip: str = msgspec.field(name="hostIP", default="")


class Resources(meta.View):
    """Quantities as text; see `common.objects.quantity`."""

    requests: dict[str, str | int | float] = {}
    limits: dict[str, str | int | float] = {}


class VolumeMount(meta.View):
    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""
    sub_path_expr: str = ""
    mount_propagation: str = ""


class Container(meta.View):
    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = Resources()
    image_pull_policy: str = ""
    restart_policy: str | None = None
    termination_message_path: str = "/dev/termination-log"
    termination_message_policy: str = "File"
    volume_mounts: tuple[VolumeMount, ...] = ()
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    security_context: dict | None = None
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    target_container_name: str = ""
    """Of an ephemeral container: whose processes it sees."""


class Toleration(meta.View):
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class PodSpec(meta.View):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[Container, ...] = ()
    node_name: str = ""
    node_selector: dict[str, str] = {}
    restart_policy: str = "Always"
    termination_grace_period_seconds: int = 30
    active_deadline_seconds: int | None = None
    tolerations: tuple[Toleration, ...] = ()
    overhead: dict[str, str | int | float] = {}
    scheduler_name: str = "default-scheduler"
    priority: int = 0
    host_network: bool = False
    host_pid: bool = msgspec.field(name="hostPID", default=False)
    host_ipc: bool = msgspec.field(name="hostIPC", default=False)
    share_process_namespace: bool = False
    hostname: str = ""
    subdomain: str = ""
    set_hostname_as_fqdn: bool = msgspec.field(name="setHostnameAsFQDN", default=False)
    host_aliases: tuple[dict, ...] = ()
    dns_policy: str = "ClusterFirst"
    dns_config: dict | None = None
    service_account_name: str = ""
    image_pull_secrets: tuple[dict, ...] = ()
    volumes: tuple[dict, ...] = ()
    affinity: dict | None = None
    topology_spread_constraints: tuple[dict, ...] = ()
    security_context: dict | None = None
    readiness_gates: tuple[dict, ...] = ()
    runtime_class_name: str = ""

    @property
    def every_container(self) -> tuple[Container, ...]:
        """Init containers, containers, and ephemeral ones; no two have the same name."""
        return self.init_containers + self.containers + self.ephemeral_containers


def container_of(spec: PodSpec, name: str) -> Container | None:
    """The container of that name, of any kind."""
    return next((each for each in spec.every_container if each.name == name), None)


class ContainerStateWaiting(meta.View):
    reason: str = ""
    message: str = ""


class ContainerStateRunning(meta.View):
    started_at: str | None = None


class ContainerStateTerminated(meta.View):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    container_id: str = msgspec.field(name="containerID", default="")


class ContainerState(meta.View):
    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(meta.View):
    name: str
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    image_id: str = msgspec.field(name="imageID", default="")
    container_id: str = msgspec.field(name="containerID", default="")


class PodIP(meta.View):
    ip: str


class PodStatus(meta.View):
    phase: str = "Pending"
    conditions: tuple[meta.Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    message: str = ""
    reason: str = ""
    nominated_node_name: str = ""
    host_ip: str = msgspec.field(name="hostIP", default="")
    pod_ip: str = msgspec.field(name="podIP", default="")
    pod_ips: tuple[PodIP, ...] = msgspec.field(name="podIPs", default=())
    start_time: str | None = None
    qos_class: str = ""


class Pod(meta.View):
    metadata: meta.Meta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    def condition(self, kind: str) -> meta.Condition | None:
        """The condition of that type, e.g. "Ready"."""
        for condition in self.status.conditions:
            if condition.type == kind:
                return condition
        return None

    @property
    def gates(self) -> tuple[str, ...]:
        """The condition types that somebody else must set to True before the pod is ready."""
        return tuple(str(gate.get("conditionType", "")) for gate in self.spec.readiness_gates)

    @property
    def ready(self) -> bool:
        condition = self.condition("Ready")
        return condition is not None and condition.status == "True"

    @property
    def finished(self) -> bool:
        """Succeeded or Failed: no container of it runs or ever will."""
        return self.status.phase in ("Succeeded", "Failed")
