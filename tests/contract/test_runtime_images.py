"""Pulling from real registries, with containerd and with Docker: who is let in, what is told, and a registry that stalls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import yaml

from agent.images import reference
from agent.images import registries as registries_yaml
from agent.images.collection import Policy
from agent.images.collector import Collector
from agent.images.keyring import Credential
from agent.images.ledger import Ledger
from agent.images.pulls import Pulls, Wanted
from agent.images.registries import Registries
from agent.lifecycle.life import Note
from agent.runtime.contract import ContainerSpec, Runtime, RuntimeFault, SandboxSpec
from common.aio import tasks
from common.clock import SystemClock
from tests.agent import containerd_host, docker_host, registries
from tests.agent.registries import PASSWORD, USER, Content, Registry, Stalling, Tokens

RIGHT, WRONG = Credential(USER, PASSWORD), Credential(USER, "guessed")
PROGRESS_S = 2.0
HOSTS = {"containerd": containerd_host, "docker": docker_host}


class Ground(msgspec.Struct, frozen=True):
    """A runtime's host and what it can pull from."""

    host: object
    open: Registry
    password: Registry
    token: Registry
    tokens: Tokens
    stalling: Stalling
    stalling_address: str


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.containerd) for name in HOSTS])
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    module = HOSTS[request.param]
    why = module.missing() or registries.missing()
    if why:
        pytest.skip(f"no {request.param} with a registry: {why}")
    folder: Path = tmp_path_factory.mktemp(f"registries-{request.param}")
    with ExitStack() as stack:
        start = stack.enter_context
        host = start(getattr(module, f"{request.param}_host")())
        contents = {f"team/stuck-{number}": Content(f"stuck {number}", size=4_500_000) for number in range(4)}
        contents["slow/large"] = Content("large", size=4_500_000)
        tokens, stalling = Tokens(folder / "token"), Stalling(contents)
        start(registries.serving(tokens.handler(), 5004, netns=host.netns))
        start(registries.serving(stalling.handler(), 5005, netns=host.netns))
        stack.callback(stalling.go_on.set)
        yield Ground(
            host,
            start(registries.registry(folder / "open", 5001, netns=host.netns)),
            start(registries.registry(folder / "password", 5002, netns=host.netns, auth="password")),
            start(registries.registry(folder / "token", 5003, netns=host.netns, auth="token", token_port=5004)),
            tokens, stalling, "127.0.0.1:5005",
        )  # fmt: skip


def run(ground: Ground, test: Callable[[Runtime], Coroutine]) -> None:
    async def main() -> None:
        runtime = ground.host.runtime(progress_s=PROGRESS_S)
        try:
            await test(runtime)
        finally:
            await runtime.close()

    asyncio.run(main())


def test_an_image_is_pulled_by_tag_and_by_digest(ground: Ground) -> None:
    content = Content("plain", size=50_000)
    digest = ground.open.put("team/plain:1", content)

    async def test(runtime: Runtime) -> None:
        pulled = await runtime.images.pull(f"{ground.open.address}/team/plain:1")
        assert pulled.size_bytes > 10_000
        by_digest = f"{ground.open.address}/team/plain@{digest}"
        assert (await runtime.images.pull(by_digest)).id == pulled.id
        assert (await runtime.images.pull(f"{ground.open.address}/team/plain:1@{digest}")).id == pulled.id
        assert (await runtime.images.find(by_digest)).id == pulled.id

    run(ground, test)


def test_a_digest_that_is_not_there_is_refused(ground: Ground) -> None:
    ground.open.put("team/plain:1", Content("plain", size=50_000))

    async def test(runtime: Runtime) -> None:
        with pytest.raises(RuntimeFault) as caught:
            await runtime.images.pull(f"{ground.open.address}/team/plain@sha256:{'0' * 64}")
        assert caught.value.kind == "ErrImagePull"

    run(ground, test)


@pytest.mark.parametrize("kind", ["password", "token"])
def test_a_private_image_is_for_who_has_the_password(ground: Ground, kind: str) -> None:
    private: Registry = getattr(ground, kind)
    private.put("team/private:1", Content(kind))
    image = f"{private.address}/team/private:1"

    async def test(runtime: Runtime) -> None:
        for credential in (None, WRONG):
            with pytest.raises(RuntimeFault) as caught:
                await runtime.images.pull(image, credential)
            assert caught.value.kind == "ErrImagePull" and image in caught.value.message
            assert any(word in caught.value.message.lower() for word in ("unauthorized", "no basic auth", "denied", "authentication"))
            assert PASSWORD not in caught.value.message and "guessed" not in caught.value.message
        assert (await runtime.images.pull(image, RIGHT)).id

    run(ground, test)


def test_a_registry_that_stalls_fails_its_own_pulls_and_no_other(ground: Ground) -> None:
    for name in ("other", "later"):
        ground.open.put(f"team/{name}:1", Content(name, size=50_000))
    stuck = [f"{ground.stalling_address}/team/stuck-{number}:1" for number in range(4)]

    async def test(runtime: Runtime) -> None:
        told: list[tuple[int, int]] = []

        async def slow(image: str) -> str:
            with pytest.raises(RuntimeFault) as caught:
                await runtime.images.pull(image, None, lambda *far: told.append(far))
            assert image in caught.value.message
            return caught.value.message

        async def other(name: str) -> str:
            await asyncio.to_thread(ground.stalling.stalled.wait, 20)
            return (await runtime.images.pull(f"{ground.open.address}/team/{name}:1")).id

        async with asyncio.timeout(15):
            words, identity = await tasks.gather(slow(stuck[0]), other("other"))
        assert "no progress for 2 s" in words and identity
        assert any(0 < done < whole for done, whole in told)
        # More of them than the runtime downloads at a time; it stalls again where it stopped, and then nothing is held up.
        async with asyncio.timeout(30):
            assert all("no progress for 2 s" in words for words in await tasks.gather(*(slow(image) for image in stuck)))
        async with asyncio.timeout(10):
            assert await other("later")
        ground.stalling.go_on.set()
        async with asyncio.timeout(30):
            assert (await runtime.images.pull(stuck[0])).id

    run(ground, test)


def test_a_pull_that_gets_on_may_take_longer_than_one_may_stand_still(ground: Ground) -> None:
    async def test(runtime: Runtime) -> None:
        began = asyncio.get_running_loop().time()
        assert (await runtime.images.pull(f"{ground.stalling_address}/slow/large:1")).id
        assert asyncio.get_running_loop().time() - began > PROGRESS_S

    run(ground, test)


def registries_of(text: str) -> Registries:
    return registries_yaml.parse(yaml.safe_load(text))


def test_an_image_of_the_hub_comes_from_a_mirror_that_asks_for_a_password(ground: Ground) -> None:
    digest = ground.password.put("library/mirrored:1", Content("mirrored"))
    wanted = registries_of(
        f"mirrors: {{docker.io: {{endpoint: ['http://127.0.0.1:1', 'http://{ground.password.address}']}}}}\n"
        f"configs: {{'{ground.password.address}': {{auth: {{username: {USER}, password: {PASSWORD}}}}}}}\n"
    )

    async def test(runtime: Runtime) -> None:
        assert await runtime.images.use_registries(wanted) == ()
        (credential,) = wanted.credentials_for(reference.parse("mirrored:1"))
        pulled = await runtime.images.pull("mirrored:1", credential)
        assert (await runtime.images.find("docker.io/library/mirrored:1")).id == pulled.id
        assert (await runtime.images.pull(f"mirrored@{digest}", credential)).id == pulled.id
        assert (await runtime.images.find(f"mirrored@{digest}")).id == pulled.id
        assert await runtime.images.use_registries(Registries()) == ()

    run(ground, test)


def test_what_no_mirror_has_comes_from_the_registry_itself(ground: Ground) -> None:
    ground.open.put("team/only-here:1", Content("only here"))
    wanted = registries_of(f"mirrors: {{'*': {{endpoint: ['http://127.0.0.1:1', 'http://{ground.stalling_address}/v2/none']}}}}")

    async def test(runtime: Runtime) -> None:
        await runtime.images.use_registries(wanted)
        try:
            assert (await runtime.images.pull(f"{ground.open.address}/team/only-here:1")).id
        finally:
            await runtime.images.use_registries(Registries())

    run(ground, test)


def test_a_registry_with_a_certificate_of_its_own_authority(ground: Ground, tmp_path: Path) -> None:
    if ground.host.name != "containerd":
        return  # Docker takes certificates from a folder of the machine
    registries.certificate(tmp_path)
    more = f"  tls:\n    certificate: {tmp_path}/server.pem\n    key: {tmp_path}/server.key\n"
    wanted = registries_of(f"configs: {{'127.0.0.1:5006': {{tls: {{ca_file: {tmp_path}/ca.pem}}}}}}")

    with registries.registry(tmp_path / "tls", 5006, netns=ground.host.netns, more=more) as secure:
        secure.put("team/secure:1", Content("secure"))

        async def test(runtime: Runtime) -> None:
            with pytest.raises(RuntimeFault):
                await runtime.images.pull(f"{secure.address}/team/secure:1")
            assert await runtime.images.use_registries(wanted) == ()
            assert (await runtime.images.pull(f"{secure.address}/team/secure:1")).id
            await runtime.images.use_registries(Registries())

        run(ground, test)


def test_images_that_pods_pulled_go_when_the_disk_fills_and_those_of_others_stay(ground: Ground, tmp_path: Path) -> None:
    for name in ("used", "unused", "shared"):
        ground.open.put(f"gc/{name}:1", Content(f"gc {name}", runs=name == "used"))
    used, unused, shared = (f"{ground.open.address}/gc/{name}:1" for name in ("used", "unused", "shared"))
    notes: list[Note] = []

    async def test(runtime: Runtime) -> None:
        ledger, clock = Ledger(tmp_path / "images.json"), SystemClock()
        await runtime.images.pull(shared)  # as somebody else does, and then a pod wants it too
        pulls = Pulls(runtime.images, clock, at_once=2, ledger=ledger)
        for image in (used, unused, shared):
            await pulls.pull(Wanted(image))
        spec = SandboxSpec(namespace="default", name="gc", uid="uid-gc", attempt=0, hostname="gc", log_directory=f"{ground.host.log_root}/gc")
        sandbox = await runtime.create_sandbox(spec)
        identity = (await runtime.images.find(used)).id
        await runtime.create_container(sandbox, ContainerSpec("app", 0, identity, command=("sleep", "60"), log_path="app/0.log"))
        policy = Policy(high_percent=0, low_percent=0, minimum_age_s=0)
        await Collector(runtime.images, ledger, clock, policy=policy, tell=notes.append).collect()
        assert await runtime.images.find(unused) is None
        assert await runtime.images.find(used) is not None and await runtime.images.find(shared) is not None
        assert await runtime.images.find("busybox:1.36") is not None and await runtime.images.find("registry.k8s.io/pause:3.9") is not None
        await runtime.remove_sandbox(sandbox)
        await Collector(runtime.images, ledger, clock, policy=policy, tell=notes.append).collect()
        assert await runtime.images.find(used) is None and await runtime.images.find(shared) is not None

    run(ground, test)
    assert unused in notes[0].message and notes[0].reason == "ImagesRemoved"
