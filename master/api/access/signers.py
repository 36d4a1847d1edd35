"""Who may approve a request for a certificate, and who may issue it: the verbs `approve` and `sign` on the signer itself.

Kubernetes' admission plugins CertificateApproval, CertificateSigning and CertificateSubjectRestriction. The right to write /approval or
/status of requests is not enough: it takes the verb on `signers` with the signer's name, or with `DOMAIN/*`. And nobody gets a client
certificate of the group that may do everything.
"""

from __future__ import annotations

from typing import Any

from master.api import faults
from master.api.access.authorizer import MASTERS, Authorizer
from master.api.access.rules import Access
from master.api.contract import Actor, Document, Role
from master.api.kinds import certificatesigningrequest as requests
from master.api.registry import Resource

KEY = "certificatesigningrequests.certificates.k8s.io"
GROUP = "certificates.k8s.io"
API_CLIENT = "kubernetes.io/kube-apiserver-client"


class Signers:
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def check(self, actor: Actor, resource: Resource, new: Document, old: Document | None) -> None:
        """Raises Forbidden."""
        if resource.key != KEY or actor.role is not Role.USER:
            return
        name, signer = new["metadata"].get("name", ""), (new.get("spec") or {}).get("signerName", "")
        if old is None:
            if signer == API_CLIENT and MASTERS in requests.organizations(new):
                why = f"use of {API_CLIENT} signer with {MASTERS} group is not allowed"
                raise faults.forbidden(resource, name, why)
        elif _decisions(new) != _decisions(old) and not self._may(actor, "approve", signer):
            raise faults.forbidden(resource, name, f'user not permitted to approve requests with signerName "{signer}"')
        elif _issued(new) != _issued(old) and not self._may(actor, "sign", signer):
            raise faults.forbidden(resource, name, f'user not permitted to sign requests with signerName "{signer}"')

    def _may(self, actor: Actor, verb: str, signer: str) -> bool:
        names = (signer, f"{signer.partition('/')[0]}/*")
        return any(self._authorizer.decide(actor, Access(verb, GROUP, "signers", name=name))[0] for name in names)


def _decisions(request: Document) -> list[Any]:
    return [one for one in (request.get("status") or {}).get("conditions") or () if one.get("type") in requests.DECISIONS]


def _issued(request: Document) -> Any:
    return (request.get("status") or {}).get("certificate")
