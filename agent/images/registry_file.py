"""The host's `registries.yaml`, read anew when it changed, and told to the runtime.

Owns when it is looked at: before a pull, by the file's time and size, so that an operator changes it without restarting anything. A
file that cannot be used leaves what was there before, and is told in an event of the node, once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import yaml

from agent.images import registries
from agent.images.keyring import Credential
from agent.images.reference import Reference
from agent.images.registries import Registries
from agent.lifecycle.life import Note
from agent.runtime.contract import Images, RuntimeFault
from common.errors import Invalid, NotNow

log = logging.getLogger(__name__)

MOST_BYTES = 1 << 20
Stamp = tuple[int, int, int] | None


def load(path: Path) -> Registries:
    """None there is an empty one. Raises Invalid with a sentence that names the file and the field."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Invalid(f"{path}: larger than {MOST_BYTES} bytes")
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return Registries()
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        # Without the library's words: they quote the line, which may have a password in it.
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise Invalid(f"{path}: line {line}: not YAML") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise Invalid(f"{path}: not YAML") from None
    found = registries.parse(document)
    for host, tls in found.tls.items():
        for name in ("ca_file", "cert_file", "key_file"):
            file = getattr(tls, name)
            if file and not Path(file).is_file():
                raise Invalid(f"{path}: configs.{host}.tls.{name}: there is no file {file}")
    return found


class RegistryFile:
    """tell: an event of the node."""

    def __init__(self, path: Path, images: Images, tell: Callable[[Note], None]) -> None:
        self._path = path
        self._images = images
        self._tell = tell
        self._current = Registries()
        self._seen: Stamp = (-1, 0, 0)

    async def credentials_for(self, image: Reference) -> tuple[Credential, ...]:
        """The host's own, beside a pod's. The runtime pulls by the file as it is now when this returns."""
        await self._refresh()
        return self._current.credentials_for(image)

    async def _refresh(self) -> None:
        stamp = self._stamp()
        if stamp == self._seen:
            return
        try:
            found = load(self._path)
            told = await self._images.use_registries(found)
        except Invalid as error:
            self._seen = stamp
            self._say("InvalidRegistries", error.message)
            return
        except (RuntimeFault, NotNow, OSError) as error:
            self._say("InvalidRegistries", f"{self._path}: the runtime could not be told: {error}")
            return
        self._seen, self._current = stamp, found
        for words in told:
            self._say("UnsupportedRegistries", f"{self._path}: {words}")

    def _stamp(self) -> Stamp:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def _say(self, reason: str, words: str) -> None:
        log.warning("registries reason=%s why=%s", reason, words)
        self._tell(Note("Warning", reason, words))
