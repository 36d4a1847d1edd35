"""What an agent says, judged: which reports count, which are void, and what is handed on to be written.

A report counts when the pod is bound to the node that speaks, and was computed on the generation that this session was sent last;
PodGone counts when the pod is being deleted, besides. Whatever does not count is acknowledged as void, because its sender would repeat
it for ever; a newer report of the same pod follows, as each Assign makes one. Owns the consequences of a node's silence too: first the
node's conditions, then its pods' Ready, both taken back if the node speaks before they are written.
"""

from __future__ import annotations

import logging

import msgspec

from common.wire import messages
from master.api.contract import Document, EmitEvent, Ref
from master.api.usage import NodeUsage, PodUsage
from master.dispatch.assignments import HeldPod
from master.dispatch.index import Index
from master.dispatch.sessions import Session
from master.dispatch.writer import ACTOR, Origin, ReportWriter
from master.store.contract import Cause

log = logging.getLogger(__name__)


def document(encoded: bytes) -> Document:
    """Raises msgspec.DecodeError for what is no JSON object."""
    return msgspec.json.decode(encoded, type=dict)


class Reports:
    def __init__(self, *, index: Index, writer: ReportWriter) -> None:
        self._index = index
        self._writer = writer

    def take(self, session: Session, message: messages.Message) -> tuple[int, ...]:
        """Judge one message of a session; the sequences that are void. Raises msgspec.DecodeError for a damaged document."""
        if isinstance(message, messages.PodReport):
            return self._pod_report(session, message)
        if isinstance(message, messages.PodGone):
            return self._pod_gone(session, message)
        if isinstance(message, messages.NodeReport):
            origin = Origin(session.node, session.epoch, message.sequence)
            self._writer.node_status(session.node, origin=origin, reported=document(message.document))
        elif isinstance(message, messages.Happened):
            self._happened(session, message)
        return ()

    def usage(self, session: Session, usage: messages.Usage) -> NodeUsage:
        """What the node says of itself and of those pods that are its own."""
        found = []
        for each in usage.pods:
            pod = self._of_session(session, each.uid)
            if pod is not None:
                found.append(PodUsage(Ref("pods", pod.name, pod.namespace), pod.uid, each.window_s, each.containers))
        return NodeUsage(usage.window_s, usage.cpu_nano, usage.memory_bytes, tuple(found))

    def _of_session(self, session: Session, uid: str) -> HeldPod | None:
        pod = self._index.pod(uid)
        return pod if pod is not None and pod.node == session.node else None

    def _pod_report(self, session: Session, report: messages.PodReport) -> tuple[int, ...]:
        pod, sent = self._of_session(session, report.uid), session.sent.pods.get(report.uid)
        if pod is None or sent is None or sent.generation != report.generation:
            log.debug("report-void node=%s uid=%s generation=%d", session.node, report.uid, report.generation)
            return (report.sequence,)
        self._writer.pod_status(
            Ref("pods", pod.name, pod.namespace), pod.uid, origin=Origin(session.node, session.epoch, report.sequence),
            generation=report.generation, reported=document(report.status),
        )  # fmt: skip
        return ()

    def _pod_gone(self, session: Session, gone: messages.PodGone) -> tuple[int, ...]:
        pod = self._of_session(session, gone.uid)
        if pod is None or not pod.deleting:
            return (gone.sequence,)
        origin = Origin(session.node, session.epoch, gone.sequence)
        self._writer.pod_gone(Ref("pods", pod.name, pod.namespace), pod.uid, origin=origin)
        return ()

    def _happened(self, session: Session, happened: messages.Happened) -> None:
        cause = Cause(f"system:node:{session.node}", "AgentEvent", happened.reason)
        if not happened.uid:
            # Kubernetes' kubelet names its node in place of the uid in events about the node itself.
            regarding, kind, uid = Ref("nodes", session.node), "Node", session.node
        else:
            pod = self._of_session(session, happened.uid)
            if pod is None:
                return
            regarding, kind, uid = Ref("pods", pod.name, pod.namespace), "Pod", pod.uid
        kind_of_event = happened.type if happened.type in ("Normal", "Warning") else "Normal"
        self._writer.event(EmitEvent(
            regarding, kind, uid, kind_of_event, happened.reason[:128], happened.message[:1024], "kagent", cause,
            host=session.node, field_path=happened.field_path,
        ))  # fmt: skip

    def pods_unready(self, node: str, revision: int) -> None:
        """Its conditions are Unknown since `revision`: nobody vouches for its pods."""
        for pod in self._index.pods_of(node).values():
            ref = Ref("pods", pod.name, pod.namespace)
            self._writer.pod_unready(ref, pod.uid, node=node, silent_at=revision)
            cause = Cause(ACTOR.name, "NodeSilent", f"node {node} stopped posting status", revision)
            self._writer.event(EmitEvent(
                ref, "Pod", pod.uid, "Warning", "NodeNotReady", "Node is not ready", "node-controller", cause
            ))  # fmt: skip
