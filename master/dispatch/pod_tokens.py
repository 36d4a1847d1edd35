"""ServiceAccount tokens for the volumes of a node's pods: an agent asks, the API decides.

The request is made in the node's own name, so that the node authorizer and the node restriction judge it as they would judge a kubelet's:
only for a pod that runs on that node, only of the account that it runs as, and bound to it. Nothing of a token is kept here.
"""

from __future__ import annotations

import msgspec

from common.errors import SteersmanError
from common.wire import messages
from master.api.contract import Actor, Door, Ref, Role
from master.dispatch.index import Index
from master.dispatch.sessions import Session
from master.dispatch.writer import NODES


class _Spec(msgspec.Struct, rename="camel"):
    service_account_name: str = "default"


class _Pod(msgspec.Struct):
    spec: _Spec


class _Status(msgspec.Struct):
    token: str


class _AnswerSpec(msgspec.Struct, rename="camel"):
    expiration_seconds: int


class _Answer(msgspec.Struct):
    spec: _AnswerSpec
    status: _Status


_pod, _answer = msgspec.json.Decoder(_Pod), msgspec.json.Decoder(_Answer)


class PodTokens:
    def __init__(self, door: Door, index: Index) -> None:
        self._door = door
        self._index = index

    def answer(self, session: Session, asked: messages.TokenRequest) -> messages.Token:
        """A refusal is an answer too."""
        refused = messages.Token(session.epoch, asked.uid, asked.audience, asked.lifetime_s)
        pod = self._index.pod(asked.uid)
        if pod is None or pod.node != session.node:
            return msgspec.structs.replace(refused, reason="NotFound", message=f'pod "{asked.uid}" is not on this node')
        account = Ref("serviceaccounts", _pod.decode(pod.stored.value).spec.service_account_name, pod.namespace)
        bound = {"kind": "Pod", "apiVersion": "v1", "name": pod.name, "uid": pod.uid}
        spec = {"audiences": [asked.audience] if asked.audience else [], "expirationSeconds": asked.lifetime_s, "boundObjectRef": bound}
        node = Actor(f"system:node:{session.node}", Role.USER, (NODES, "system:authenticated"))
        try:
            made = _answer.decode(self._door.create_token(node, account, {"spec": spec}).value)
        except SteersmanError as error:
            return msgspec.structs.replace(refused, reason=error.reason, message=error.message)
        return messages.Token(
            session.epoch, asked.uid, asked.audience, asked.lifetime_s, made.status.token, made.spec.expiration_seconds
        )  # fmt: skip
