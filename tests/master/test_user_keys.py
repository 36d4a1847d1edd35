"""Keys for kctl: whose they are, how they end, and that nobody can write himself one."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from common.clock import SystemRng
from common.errors import Forbidden, Unavailable
from common.wire import keys
from master import credentials
from master.api.access import revocation
from master.api.contract import Actor, Ref
from master.user_keys import KeyDesk, UserKeys
from tests.master.api.doorway import ADMIN, Doorway, scenario

PAIRS: list[keys.Pair] = []


def with_keys(folder: Path, use: Callable[[Doorway, UserKeys, KeyDesk], Awaitable[None]]) -> None:
    async def test(here: Doorway) -> None:
        held = UserKeys(credentials.ensure(folder, SystemRng()), here.clock)
        held.views = here.door.views
        PAIRS.clear()
        desk = KeyDesk(here.door, held, here.clock, SystemRng(), configure=lambda pair, user: PAIRS.append(pair) or user.encode())
        await use(here, held, desk)

    scenario(test)()


def test_the_administrator_is_known_before_there_is_an_api(tmp_path: Path) -> None:
    own = credentials.ensure(tmp_path, SystemRng())

    async def use(here: Doorway, held: UserKeys, desk: KeyDesk) -> None:
        held.views = None
        assert held.admit(own.admin.public, "") == "user:kubernetes-admin"
        actor = held.caller("user:kubernetes-admin")
        assert actor is not None and "system:masters" in actor.groups
        assert (held.caller("user:alice"), held.caller("node:host-1")) == (None, None)
        with pytest.raises(Unavailable):
            held.admit(own.master.public, "")

    with_keys(tmp_path, use)


def test_a_key_is_its_holders_until_it_ends(tmp_path: Path) -> None:
    async def use(here: Doorway, held: UserKeys, desk: KeyDesk) -> None:
        made = await desk.create(ADMIN, "kubernetes-admin", ("dev",), expires=here.clock.now() + 60)
        identity = held.admit(PAIRS[0].public, "")
        assert made["kctl"] == "kubernetes-admin" and identity is not None
        # The name alone gives nothing: the groups are those that the key was made with.
        assert held.caller(identity) == Actor("kubernetes-admin", groups=("dev", "system:authenticated"))
        await asyncio.sleep(61)
        assert (held.admit(PAIRS[0].public, ""), held.caller(identity)) == (None, None)

    with_keys(tmp_path, use)


def test_a_key_is_taken_back_with_its_secret(tmp_path: Path) -> None:
    async def use(here: Doorway, held: UserKeys, desk: KeyDesk) -> None:
        made = await desk.create(ADMIN, "alice", (), expires=here.clock.now() + 60)
        await here.door.delete(ADMIN, Ref("secrets", made["secret"], "kube-system"))
        assert held.admit(PAIRS[0].public, "") is None

    with_keys(tmp_path, use)


def test_revoking_a_user_shuts_out_the_keys_made_until_then_and_no_other(tmp_path: Path) -> None:
    async def use(here: Doorway, held: UserKeys, desk: KeyDesk) -> None:
        for name in ("alice", "bob"):
            await desk.create(ADMIN, name, (), expires=here.clock.now() + 60)
        await revocation.revoke(here.door, ADMIN, "alice", here.clock.now())
        assert (held.admit(PAIRS[0].public, ""), held.caller(f"key:{PAIRS[0].public}")) == (None, None)
        assert held.admit(PAIRS[1].public, "") is not None
        await asyncio.sleep(1)
        await desk.create(ADMIN, "alice", (), expires=here.clock.now() + 60)
        assert held.admit(PAIRS[2].public, "") is not None

    with_keys(tmp_path, use)


@pytest.mark.parametrize(
    ("field", "value"),
    [("user", "root"), ("groups", '["system:masters"]'), ("expires", "2999-01-01T00:00:00Z"), ("issued", "2999-01-01T00:00:00Z"),
     ("public-key", "x" * 40), ("seal", "00")],
)
def test_a_secret_that_somebody_wrote_opens_nothing(tmp_path: Path, field: str, value: str) -> None:
    async def use(here: Doorway, held: UserKeys, desk: KeyDesk) -> None:
        made = await desk.create(ADMIN, "alice", (), expires=here.clock.now() + 60)
        ref = Ref("secrets", made["secret"], "kube-system")
        document = here.door.get(ADMIN, ref).document()
        document["data"][field] = base64.b64encode(value.encode()).decode()
        await here.door.update(ADMIN, ref, document)
        assert (held.admit(PAIRS[0].public, ""), held.caller(f"key:{PAIRS[0].public}")) == (None, None)

    with_keys(tmp_path, use)


def test_making_a_key_takes_the_right_to_make_its_secret(tmp_path: Path) -> None:
    async def use(here: Doorway, held: UserKeys, desk: KeyDesk) -> None:
        with pytest.raises(Forbidden, match='User "bob" cannot create resource "secrets"'):
            await desk.create(Actor("bob"), "alice", (), expires=here.clock.now() + 60)

    with_keys(tmp_path, use)
