"""Image garbage collection: what goes, in which order, and what never goes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.images import collection, reference
from agent.images.collection import Disk, Ours, Policy, StoredImage
from agent.images.collector import Collector
from agent.images.ledger import Ledger
from agent.lifecycle.life import Note
from agent.runtime.contract import RuntimeFault
from tests.agent import virtual

GB = 1 << 30
NOW = 1_800_000_000.0
POLICY = Policy()


def image(name: str, **changes: object) -> StoredImage:
    return StoredImage(**{"id": f"sha256:{name}", "tags": (reference.parse(f"{name}:1"),), "size_bytes": GB, **changes})


def ours(name: str, *, pulled_s: float = 1000, used_s: float | None = None, **changes: object) -> Ours:
    """Pulled, and used last, so many seconds ago."""
    return Ours(image(name, **changes), NOW - pulled_s, NOW - used_s if used_s is not None else 0.0)


def names(images: tuple[StoredImage, ...]) -> list[str]:
    return [each.id.removeprefix("sha256:") for each in images]


@pytest.mark.parametrize(
    ("available", "policy", "free"),
    [
        pytest.param(16, POLICY, 0, id="84 % used: nothing"),
        pytest.param(15, POLICY, 5, id="85 %: down to 80 %"),
        pytest.param(0, POLICY, 20, id="full"),
        pytest.param(120, POLICY, 0, id="more free than there is"),
        pytest.param(0, Policy(100, 80), 0, id="a threshold of 100 never acts"),
        pytest.param(60, Policy(10, 10), 30, id="low thresholds"),
    ],
)
def test_how_much_is_to_be_freed(available: int, policy: Policy, free: int) -> None:
    assert collection.to_free(Disk(100, available), policy) == free


def test_the_longest_unused_goes_first_and_what_is_in_use_or_young_or_pinned_stays() -> None:
    known = [
        ours("recent", used_s=10), ours("long-ago", used_s=900), ours("never-new", pulled_s=500), ours("never-old", pulled_s=5000),
        ours("used", used=True), ours("young", pulled_s=100), ours("pause", pinned=True),
    ]  # fmt: skip
    made = collection.plan({each.image.id: each for each in known}, Disk(100 * GB, 10 * GB), POLICY, NOW)
    assert names(made.order) == ["never-old", "never-new", "long-ago", "recent"] and made.free_bytes == 10 * GB and made.aged == ()


def test_what_is_unused_for_too_long_goes_although_there_is_room() -> None:
    known = [ours("old", pulled_s=9000, used_s=8000), ours("idle", pulled_s=8000), ours("fresh", pulled_s=9000, used_s=60)]
    made = collection.plan({each.image.id: each for each in known}, Disk(100, 90), Policy(maximum_age_s=7200), NOW)
    assert sorted(names(made.aged)) == ["idle", "old"] and made.order == ()


def test_a_node_whose_pods_would_be_evicted_removes_all_that_may_go() -> None:
    known = [ours("recent", used_s=10), ours("old"), ours("used", used=True), ours("young", pulled_s=5)]
    made = collection.plan({each.image.id: each for each in known}, Disk(100, 50), POLICY, NOW, everything=True)
    assert sorted(names(made.aged)) == ["old", "recent"] and made.free_bytes == 0


# What is ours.


def test_an_image_is_ours_if_all_its_names_are(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "images.json")
    ledger.pulled(reference.parse("a:1"), "sha256:a", 5.0)
    ledger.pulled(reference.parse("reg.test/b@sha256:" + "0" * 64), "sha256:b", 6.0)
    again = Ledger(tmp_path / "images.json")
    digest = reference.parse("a@sha256:" + "1" * 64)
    assert again.pulled_at(image("a", digests=(digest,))) == 5.0
    assert again.pulled_at(StoredImage("sha256:b", digests=(reference.parse("reg.test/b@sha256:" + "0" * 64),))) == 6.0
    assert again.pulled_at(image("a", tags=(reference.parse("a:1"), reference.parse("theirs:1")))) is None
    assert again.pulled_at(image("a", digests=(digest, reference.parse("theirs/a@sha256:" + "1" * 64)))) is None
    assert again.pulled_at(image("a", id="sha256:rebuilt")) is None and again.pulled_at(image("c")) is None
    again.keep({"sha256:b"})
    assert Ledger(tmp_path / "images.json").pulled_at(image("a")) is None


def test_a_damaged_ledger_makes_nothing_ours(tmp_path: Path) -> None:
    (tmp_path / "images.json").write_text("{")
    assert Ledger(tmp_path / "images.json").pulled_at(image("a")) is None


# The shell.


class Store:
    """Images on a disk of 100 GB, of which `others` GB are other things."""

    def __init__(self, *stored: StoredImage, others: int, busy: str = "") -> None:
        self.there = {each.id: each for each in stored}
        self.others = others
        self._busy = busy

    async def stored(self) -> list[StoredImage]:
        return list(self.there.values())

    async def remove(self, gone: StoredImage) -> None:
        if gone.id == self._busy:
            raise RuntimeFault("conflict: unable to remove: container abc is using it")
        del self.there[gone.id]

    async def folder(self) -> str:
        return "/images"

    def disk(self, folder: str) -> Disk:
        return Disk(100 * GB, (100 - self.others) * GB - sum(each.size_bytes for each in self.there.values()))


def collected(store: Store, *pulled: str, policy: Policy = POLICY) -> list[Note]:
    """After one look; the events of the node."""
    notes: list[Note] = []
    ledger = Ledger(None)
    for age_s, name in enumerate(pulled, 1):
        ledger.pulled(reference.parse(f"{name}:1"), f"sha256:{name}", virtual.START_WALL - 10_000 * age_s)

    async def main(clock: virtual.LoopClock) -> None:
        await Collector(store, ledger, clock, policy=policy, tell=notes.append, disk=store.disk).collect()

    virtual.run(main)
    return notes


def test_as_many_go_as_it_takes_and_the_node_is_told() -> None:
    store = Store(*(image(name, size_bytes=3 * GB) for name in ("a", "b", "c", "d")), others=77)
    notes = collected(store, "a", "b", "c", "d")
    assert sorted(store.there) == ["sha256:a"]
    text = f"Removed 3 unused images ({9 * GB} bytes): docker.io/library/d:1, docker.io/library/c:1, docker.io/library/b:1"
    assert notes == [Note("Normal", "ImagesRemoved", text)]


def test_images_of_others_stay_and_that_it_was_not_enough_is_told() -> None:
    store = Store(image("mine"), image("theirs"), others=95)
    notes = collected(store, "mine")
    assert sorted(store.there) == ["sha256:theirs"]
    assert [note.reason for note in notes] == ["ImagesRemoved", "FreeDiskSpaceFailed"]
    assert notes[1].message == (
        f"Failed to garbage collect required amount of images. Attempted to free {17 * GB} bytes, but only found {GB} bytes eligible to free."
    )


def test_one_that_the_runtime_keeps_is_passed_over() -> None:
    store = Store(image("a"), image("b"), others=83, busy="sha256:b")
    collected(store, "a", "b")
    assert sorted(store.there) == ["sha256:b"]


def test_nothing_goes_while_there_is_room() -> None:
    store = Store(image("a"), others=50)
    assert collected(store, "a") == [] and store.there


def test_what_was_used_between_two_looks_goes_last() -> None:
    store = Store(image("a", used=True), image("b", size_bytes=5 * GB), others=50)
    ledger = Ledger(None)
    for name in ("a", "b"):
        ledger.pulled(reference.parse(f"{name}:1"), f"sha256:{name}", virtual.START_WALL - 10_000)

    async def main(clock: virtual.LoopClock) -> None:
        collector = Collector(store, ledger, clock, policy=POLICY, tell=lambda note: None, disk=store.disk)
        await collector.collect()
        store.there["sha256:a"] = image("a")
        await asyncio.sleep(300)
        store.others = 79
        await collector.collect()

    virtual.run(main)
    assert sorted(store.there) == ["sha256:a"]
