"""What the operator may choose about the API, and the limits of its retries.

Owned by `server.py`, which makes one from its configuration; the parts of the door only read it.
"""

from __future__ import annotations

import msgspec


class DoorSettings(msgspec.Struct, frozen=True):
    """toleration_s: how long pods stay on a node that is silent (None: no tolerations are added). mount_tokens: whether pods get
    their ServiceAccount's token, as a volume. protect_storage: whether claims and volumes are protected while they are in use, which
    takes the controllers that end it. event_ttl_s: when Events expire. bookmark_s: between two bookmarks of a quiet watch. attempts: how
    often a write is tried again that lost a race and was not tied to one revision.
    max_object_bytes: of one object as stored; patches could let it grow beyond what any one request may carry."""

    toleration_s: int | None = 300
    mount_tokens: bool = False
    protect_storage: bool = False
    event_ttl_s: float = 3600.0
    bookmark_s: float = 60.0
    attempts: int = 5
    max_object_bytes: int = 3 * 512 * 1024
