"""All pulls of a host: so many at once from a registry and no more, and an image that several pods want is pulled once for all of them.

Owns who pulls and who waits, and the order in which credentials are tried. Whether a pull is needed, and what its end means to a pod, is
the pod's business.

    wanted ─► [turn: one for each image and set of credentials] ─► [slot: `at_once` of them] ─► credential after credential ─► outcome for
    all

Each registry has slots of its own, so that one which stalls holds up no other.

Subtle: pods share a pull only if they bring the same credentials: nobody gets an image by somebody else's. Whoever pulls may be broken off
(its pod was deleted); the next who waits goes on in its place, and the runtime has kept what was fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from agent.images import reference
from agent.images.keyring import Credential
from agent.images.ledger import Ledger
from agent.images.reference import Reference
from agent.runtime.contract import Images, LocalImage, RuntimeFault, Told, unheard
from common.clock import Clock
from common.errors import NotNow, SteersmanError


class Wanted(msgspec.Struct, frozen=True):
    """unless_present: somebody else's pull will do."""

    image: str
    credentials: tuple[Credential, ...] = ()
    unless_present: bool = False


class Pulled(msgspec.Struct, frozen=True):
    """took_s: the pull alone; None: it was there, thanks to somebody else."""

    image: LocalImage
    took_s: float | None


Own = Callable[[Reference], Awaitable[tuple[Credential, ...]]]


async def nobodys(image: Reference) -> tuple[Credential, ...]:
    return ()


class _Slots:
    """Of one registry, while somebody wants one. wanted: by so many."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self.free = free
        self.wanted = 0


class _Turn:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.pulled: Pulled | None = None
        self.error: SteersmanError | None = None
        self.told: list[Told] = []

    def tell(self, done_bytes: int, whole_bytes: int) -> None:
        for told in self.told:
            told(done_bytes, whole_bytes)


class Pulls:
    def __init__(self, images: Images, clock: Clock, *, at_once: int, own: Own = nobodys, ledger: Ledger | None = None) -> None:
        """own: the host's own credentials for an image, tried after a pod's. ledger: told what was pulled."""
        self._ledger = ledger or Ledger(None)
        self._images = images
        self._own = own
        self._clock = clock
        self._at_once = at_once
        self._slots: dict[str, _Slots] = {}
        self._turns: dict[Wanted, _Turn] = {}

    async def pull(self, wanted: Wanted, told: Told = unheard) -> Pulled:
        """told: of the progress, whoever pulls. Raises what `Images.pull` raises."""
        turn = self._turns.setdefault(wanted, _Turn())
        turn.told.append(told)
        try:
            return await self._in_turn(turn, wanted)
        finally:
            turn.told.remove(told)

    async def _in_turn(self, turn: _Turn, wanted: Wanted) -> Pulled:
        async with turn.lock:
            if turn.pulled is None and turn.error is None:
                try:
                    async with self._slot(reference.parse(wanted.image).host):
                        turn.pulled = await self._pull(wanted, turn.tell)
                except (RuntimeFault, NotNow) as error:
                    turn.error = error
                # Whoever comes later wants it anew; who waits already gets this outcome.
                self._turns.pop(wanted, None)
        if turn.pulled is None:
            assert turn.error is not None
            raise turn.error.with_traceback(None)
        return turn.pulled

    @asynccontextmanager
    async def _slot(self, host: str) -> AsyncIterator[None]:
        """One of those that there are for this registry."""
        slots = self._slots.setdefault(host, _Slots(asyncio.Semaphore(self._at_once)))
        slots.wanted += 1
        try:
            async with slots.free:
                yield
        finally:
            slots.wanted -= 1
            if not slots.wanted:
                del self._slots[host]

    async def _pull(self, wanted: Wanted, told: Told) -> Pulled:
        before = await self._images.find(wanted.image)
        if wanted.unless_present and before is not None:
            return Pulled(before, None)
        began_s = self._clock.monotonic()
        image = await self._try_each(wanted, told)
        if before is None or before.id != image.id:  # or else it is whose it was before
            self._ledger.pulled(reference.parse(wanted.image), image.id, self._clock.now())
        return Pulled(image, self._clock.monotonic() - began_s)

    async def _try_each(self, wanted: Wanted, told: Told) -> LocalImage:
        """The first credential that works; if none does, what was said to each."""
        words: dict[str, None] = {}
        fault: RuntimeFault | None = None
        own = await self._own(reference.parse(wanted.image))
        for credential in dict.fromkeys((*wanted.credentials, *own)) or (None,):
            try:
                return await self._images.pull(wanted.image, credential, told)
            except RuntimeFault as refused:
                fault = refused
                words[refused.message] = None
        assert fault is not None
        raise RuntimeFault(next(iter(words)) if len(words) == 1 else f"[{', '.join(words)}]", kind=fault.kind) from None
