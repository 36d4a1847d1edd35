"""The Secrets that a pod names for pulling its images: `imagePullSecrets`, its ServiceAccount's among them by admission. Pure.

As with a kubelet, one that is missing is told in an event and the pull is tried without it; one that cannot be read fails the pull. One
that is on its way from the master is waited for; without a master (`live` is False) nothing is on its way.
"""

from __future__ import annotations

import msgspec

from agent.images.keyring import Keyring, from_secrets
from agent.lifecycle.environment import Key
from agent.lifecycle.life import Host, Note
from common.objects import pod as pods


class Found(msgspec.Struct, frozen=True):
    """missing: names. unreadable: why a Secret cannot be used, in words. awaited: the name of one that is on its way."""

    keyring: Keyring = Keyring()
    missing: tuple[str, ...] = ()
    unreadable: str = ""
    awaited: str = ""

    @property
    def notes(self) -> tuple[Note, ...]:
        if not self.missing:
            return ()
        names = ", ".join(self.missing)
        text = f"Unable to retrieve some image pull secrets ({names}); attempting to pull the image may not succeed."
        return (Note("Warning", "FailedToRetrieveImagePullSecret", text),)


def _names(pod: pods.Pod) -> list[str]:
    """Entries without a name are allowed, and mean nothing."""
    return [str(ref["name"]) for ref in pod.spec.image_pull_secrets if ref.get("name")]


def refs(pod: pods.Pod) -> list[Key]:
    return [("Secret", pod.metadata.namespace, name) for name in _names(pod)]


def find(pod: pods.Pod, host: Host, *, live: bool) -> Found:
    secrets, missing = [], []
    for name in _names(pod):
        key = ("Secret", pod.metadata.namespace, name)
        if key not in host.configs and live:
            return Found(awaited=name)
        document = host.configs.get(key)
        if document is None:
            missing.append(name)
        else:
            secrets.append(document)
    try:
        return Found(from_secrets(secrets), tuple(missing))
    except ValueError as error:
        return Found(missing=tuple(missing), unreadable=str(error))
