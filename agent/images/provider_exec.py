"""Asking credential providers: a short-lived process for an image, its answer kept as long as it says.

Owns the processes and the cache, which is in memory only. A helper that fails costs its credentials, not the pull: it is told in an event
of the node, and the pull goes on without. What a helper writes to its standard error is nobody's but a debug log's.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import yaml

from agent.images import providers
from agent.images.keyring import Credential
from agent.images.providers import Answer, Provider
from agent.images.reference import Reference
from agent.lifecycle.life import Note
from common.clock import Clock
from common.errors import Invalid

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0
OUTPUT_MOST = 1 << 20
CACHED_MOST = 1000
FILE_MOST_BYTES = 1 << 20


def load(config: str, folder: str) -> tuple[Provider, ...]:
    """config "": none. Raises Invalid that names the file and the field, or the program that is missing."""
    if not config:
        return ()
    try:
        if Path(config).stat().st_size > FILE_MOST_BYTES:
            raise Invalid(f"{config}: larger than {FILE_MOST_BYTES} bytes")
        found = providers.configured(yaml.safe_load(Path(config).read_text()))
    except OSError as error:
        raise Invalid(f"{config}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise Invalid(f"{config}: not YAML") from None
    for provider in found:
        if not os.access(Path(folder, provider.name), os.X_OK):
            raise Invalid(f"{config}: there is no program {provider.name} in {folder or 'image_credential_provider_bin_dir'}")
    return found


def _environment() -> dict[str, str]:
    """The agent's, without what is meant for the agent alone: its join string above all."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KAGENT_")}


class Providers:
    """folder: of their programs. tell: an event of the node."""

    def __init__(self, known: tuple[Provider, ...], folder: str, clock: Clock, tell: Callable[[Note], None]) -> None:
        self._known = known
        self._folder = folder
        self._clock = clock
        self._tell = tell
        self._cache: dict[tuple[str, str], tuple[Answer, float]] = {}
        self._asking: dict[str, asyncio.Lock] = {provider.name: asyncio.Lock() for provider in known}

    async def credentials_for(self, image: Reference) -> tuple[Credential, ...]:
        found: list[Credential] = []
        for provider in self._known:
            if provider.matches(image):
                # One at a time, so that a second pod of the same image finds the first one's answer.
                async with self._asking[provider.name]:
                    answer = self._cached(provider, image) or await self._ask(provider, image)
                found += answer.keyring.of(image) if answer is not None else ()
        return tuple(found)

    def _cached(self, provider: Provider, image: Reference) -> Answer | None:
        now = self._clock.monotonic()
        for key in providers.keys_of(image):
            answer, until = self._cache.get((provider.name, key), (None, 0.0))
            if answer is not None and now < until:
                return answer
        return None

    async def _ask(self, provider: Provider, image: Reference) -> Answer | None:
        try:
            answer = providers.answer(provider, image, await self._run(provider, image))
        except (ValueError, OSError, TimeoutError) as error:
            why = f"it took longer than {TIMEOUT_S:g} s" if isinstance(error, TimeoutError) else str(error)
            text = f"error execing credential provider plugin {provider.name} for image {image}: {why}"
            log.warning("credential-provider-failed name=%s image=%s why=%s", provider.name, image, why)
            self._tell(Note("Warning", "CredentialProviderFailed", text))
            return None
        if answer.cache_s > 0:
            now = self._clock.monotonic()
            if len(self._cache) >= CACHED_MOST:
                self._cache = {key: kept for key, kept in self._cache.items() if now < kept[1]}
            if len(self._cache) < CACHED_MOST:
                self._cache[provider.name, answer.key] = (answer, now + answer.cache_s)
        return answer

    async def _run(self, provider: Provider, image: Reference) -> bytes:
        """Its output. Raises OSError, TimeoutError, ValueError with its exit code."""
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            str(Path(self._folder, provider.name)), *provider.args, stdin=pipe, stdout=pipe, stderr=pipe,
            env={**_environment(), **dict(provider.env)}, limit=OUTPUT_MOST,
        )  # fmt: skip
        try:
            async with asyncio.timeout(TIMEOUT_S):
                output, words = await child.communicate(providers.request(provider, image))
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        log.debug("credential-provider name=%s code=%s said=%s", provider.name, child.returncode, words[-500:])
        if child.returncode:
            raise ValueError(f"exit status {child.returncode}")
        if len(output) > OUTPUT_MOST:
            raise ValueError(f"its answer has more than {OUTPUT_MOST} bytes")
        return output
