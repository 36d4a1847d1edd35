"""A pod's volumes, from its document to what is to be on the host's disk. Pure.

Owns the kinds that are supported (emptyDir, hostPath, configMap, secret, downwardAPI, projected; claims with `claims.py`), where each
lies, which files it has, what of it a container sees, and Kubernetes' words for what is missing. Secrets, tokens, and emptyDirs in
memory, lie under `Host.memory_root`, a tmpfs, so that they never reach a disk. `plan` is asked again when a ConfigMap or Secret changed;
the fingerprint tells whether it differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from agent.lifecycle import claims, environment, security
from agent.lifecycle.life import Host, TokenKey, Waiting
from agent.runtime.contract import Mount, SubPath
from common.objects import pod as pods
from common.objects import quantity

API_ACCESS = "kube-api-access-"
"""The name that begins the projected volume of a service account's own credentials: hosts that make no files run a pod without it."""
FILE_MODE = 0o644
TOKEN_MODE = 0o600
"""Of a token in a pod that has a user or a group of its own."""
TOKEN_S = 3600
HOST_PATH_TYPES = ("", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket", "CharDevice", "BlockDevice")
PROJECTED = ("configMap", "secret", "downwardAPI")
TOKEN = "serviceAccountToken"
SUBPATHS = "volume-subpaths"
MEDIA = ("", "Memory")


class Volume(msgspec.Struct, frozen=True):
    """name, path: in the pod and on the host. group: whose it is beside root's, if it is ours to give."""

    name: str
    path: str
    group: int | None = None


class EmptyDir(Volume):
    """in_memory: a tmpfs of its own, of size_bytes at most. On a disk, `storage.py` sees to the limit."""

    in_memory: bool = False
    size_bytes: int = 0


class Local(Volume):
    """A folder of a PersistentVolume. made: by us, if it is missing. volume: the PersistentVolume's name. lazily: the group is given only
    where the folder's root shows another."""

    volume: str = ""
    made: bool = False
    lazily: bool = False


class HostPath(Volume):
    type: str = ""


class File(msgspec.Struct, frozen=True):
    """path: relative. user: whose it is, None: root's. The content may be secret, so that it is not shown."""

    path: str
    content: bytes
    mode: int
    user: int | None = None

    def __repr__(self) -> str:
        return f"File(path={self.path!r}, mode={self.mode:o})"


class Files(Volume):
    """Made from the API's objects."""

    files: tuple[File, ...] = ()

    def __repr__(self) -> str:
        return f"Files(name={self.name!r}, path={self.path!r}, files={len(self.files)})"


def supported(volume: Mapping) -> bool:
    """Whether this entry of `spec.volumes` can be made."""
    kinds = [kind for kind in volume if kind != "name"]
    if kinds in ([], ["configMap"], ["secret"], ["downwardAPI"]):
        return True
    if kinds in (["persistentVolumeClaim"], ["ephemeral"]):
        return True
    if kinds == ["emptyDir"]:
        return (volume["emptyDir"] or {}).get("medium", "") in MEDIA
    if kinds == ["hostPath"]:
        return (volume["hostPath"] or {}).get("type", "") in HOST_PATH_TYPES
    if kinds == ["projected"]:
        return all(set(source) <= {*PROJECTED, TOKEN} for source in (volume["projected"] or {}).get("sources") or [])
    return False


def refs(pod: pods.Pod) -> list[environment.Key]:
    """The ConfigMaps, Secrets and claims that the pod's volumes name."""
    found: dict[environment.Key, None] = {}
    for volume in pod.spec.volumes:
        if claims.name(pod, volume):
            found[claims.key(pod, volume)] = None
        for source in _sources(volume):
            for kind, field in (("ConfigMap", "configMap"), ("Secret", "secret")):
                if source.get(field):
                    found[kind, pod.metadata.namespace, _name(source[field])] = None
    return list(found)


def tokens(pod: pods.Pod) -> list[TokenKey]:
    """Those that the pod's volumes ask for."""
    found = {_token_key(pod, source[TOKEN]): None for volume in pod.spec.volumes for source in _sources(volume) if source.get(TOKEN)}
    return list(found)


def _token_key(pod: pods.Pod, source: Mapping) -> TokenKey:
    return TokenKey(pod.metadata.uid, str(source.get("audience") or ""), int(source.get("expirationSeconds") or TOKEN_S))


def _name(ref: Mapping) -> str:
    return str(ref.get("name") or ref.get("secretName") or "")


def _sources(volume: Mapping) -> list[Mapping]:
    if volume.get("projected") is not None:
        return list(volume["projected"].get("sources") or [])
    return [volume] if any(volume.get(kind) is not None for kind in PROJECTED) else []


def plan(pod: pods.Pod, host: Host) -> tuple[Volume, ...] | Waiting:
    """All volumes of the pod, or why they cannot be made (yet)."""
    made: list[Volume] = []
    for volume in pod.spec.volumes:
        name = str(volume.get("name", ""))
        if name.startswith(API_ACCESS) and host.tokens is None:
            continue
        entry = _entry(pod, volume, host)
        if isinstance(entry, Waiting):
            words = f'MountVolume.SetUp failed for volume "{name}" : {entry.message}'
            return Waiting(entry.reason, words if entry.reason == environment.CONFIG_ERROR else entry.message)
        made.append(entry)
    return tuple(made)


def fingerprint(volumes: tuple[Volume, ...]) -> str:
    """Changes whenever something has to be done anew."""
    digest = hashlib.sha256(b"1")
    for volume in volumes:
        size = volume.size_bytes if isinstance(volume, EmptyDir) else 0
        digest.update(f"{type(volume).__name__} {volume.name} {volume.path} {volume.group} {size}\n".encode())
        for file in volume.files if isinstance(volume, Files) else ():
            digest.update(f"{file.path} {file.mode} {file.user} {len(file.content)}\n".encode() + file.content)
    return digest.hexdigest()


def _entry(pod: pods.Pod, volume: Mapping, host: Host) -> Volume | Waiting:
    name = str(volume.get("name", ""))
    if volume.get("hostPath") is not None:
        ref = volume["hostPath"]
        return HostPath(name, str(ref.get("path", "")), type=str(ref.get("type") or ""))
    if claims.name(pod, volume):
        return _claimed(pod, volume, host)
    path, group = location(pod, volume, host), security.fs_group(pod)
    sources = _sources(volume)
    if not sources:
        return _empty_dir(pod, volume, host) if volume.get("projected") is None else Files(name, path, group)
    whole = volume.get("projected") or next((volume[kind] for kind in PROJECTED if volume.get(kind) is not None), {})
    mode = whole.get("defaultMode")
    files: dict[str, File] = {}
    for source in sources:
        found = _files(pod, source, host=host, mode=FILE_MODE if mode is None else mode)
        if isinstance(found, Waiting):
            return found
        files.update((file.path, file) for file in found)
    return Files(name, path, group, tuple(files[path] for path in sorted(files)))


def _claimed(pod: pods.Pod, volume: Mapping, host: Host) -> Volume | Waiting:
    found, name = claims.bound(pod, volume, host), str(volume.get("name", ""))
    if isinstance(found, Waiting):
        return found
    if found.spec.host_path is not None:
        return HostPath(name, claims.path(found), type=str(found.spec.host_path.get("type") or ""))
    group, lazily = claims.group(pod, found)
    return Local(name, claims.path(found), group, found.metadata.name, claims.is_ours(found), lazily)


def _empty_dir(pod: pods.Pod, volume: Mapping, host: Host) -> EmptyDir:
    asked = volume.get("emptyDir") or {}
    in_memory = asked.get("medium") == "Memory"
    # As the kubelet has it: no more than the pod's containers may use together, or the node has.
    most = (size_limit(volume), _memory_limit(pod), host.memory_bytes) if in_memory else ()
    size = min((each for each in most if each > 0), default=0)
    return EmptyDir(str(volume.get("name", "")), location(pod, volume, host), security.fs_group(pod), in_memory, size)


def size_limit(volume: Mapping) -> int:
    """Of an emptyDir, in bytes; 0: none."""
    return quantity.value((volume.get("emptyDir") or {}).get("sizeLimit") or 0)


def _memory_limit(pod: pods.Pod) -> int:
    """Of all containers together; 0: one has none."""
    limits = [quantity.value(container.resources.limits.get("memory", 0)) for container in pod.spec.containers]
    return sum(limits) if all(limits) else 0


def location(pod: pods.Pod, volume: Mapping, host: Host) -> str:
    """Where a volume that is ours to make lies."""
    secret = any(source.get("secret") or source.get(TOKEN) for source in _sources(volume))
    in_memory = secret or (volume.get("emptyDir") or {}).get("medium") == "Memory"
    root = host.memory_root if in_memory else host.volume_root
    return f"{root}/{pod.metadata.uid}/volumes/{volume.get('name', '')}"


def _files(pod: pods.Pod, source: Mapping, *, host: Host, mode: int) -> list[File] | Waiting:
    if source.get("downwardAPI"):
        return _downward(pod, source["downwardAPI"], host=host, mode=mode)
    if source.get(TOKEN):
        return _token(pod, source[TOKEN], host=host, mode=mode)
    kind, ref = ("Secret", source["secret"]) if source.get("secret") else ("ConfigMap", source.get("configMap") or {})
    name, optional = _name(ref), bool(ref.get("optional"))
    data = environment.lookup(host, (kind, pod.metadata.namespace, name), optional)
    if isinstance(data, Waiting):
        return data
    if data is None:
        return []
    items = ref.get("items")
    if not items:
        return [File(key, value, mode) for key, value in data.items()]
    found: list[File] = []
    for item in items:
        key, path = str(item.get("key", "")), str(item.get("path", ""))
        if key not in data:
            if optional:
                continue
            return Waiting(environment.CONFIG_ERROR, f"references non-existent {kind.lower()} key: {key}")
        if safe(path):
            found.append(File(path, data[key], mode if item.get("mode") is None else item["mode"]))
    return found


def _token(pod: pods.Pod, source: Mapping, *, host: Host, mode: int) -> list[File] | Waiting:
    """Readable for the pod's own user and group alone, if it has any; the group's right is added as for all files."""
    if host.tokens is None:
        return []
    token = host.tokens.get(_token_key(pod, source), _ASKED)
    path, user = str(source.get("path", "")), security.common_user(pod)
    if isinstance(token, Waiting):
        return token
    if not safe(path):
        return []
    own = user is not None or security.fs_group(pod) is not None
    return [File(path, token.encode(), TOKEN_MODE if own else mode, user)]


_ASKED = Waiting("ContainerCreating", "waiting for a token from the master")


def _downward(pod: pods.Pod, ref: Mapping, *, host: Host, mode: int) -> list[File] | Waiting:
    found: list[File] = []
    for item in ref.get("items") or []:
        if item.get("fieldRef"):
            value = environment.field(str(item["fieldRef"].get("fieldPath", "")), pod=pod, host=host)
        else:
            wanted = item.get("resourceFieldRef") or {}
            container = next((c for c in pod.spec.containers if c.name == wanted.get("containerName")), pod.spec.containers[0])
            value = environment.resource(wanted, pod=pod, container=container, host=host)
        if isinstance(value, Waiting):
            return value
        if safe(str(item.get("path", ""))):
            found.append(File(str(item["path"]), value.encode(), mode if item.get("mode") is None else item["mode"]))
    return found


def safe(path: str) -> bool:
    """A relative path that stays below its folder."""
    return bool(path) and not path.startswith("/") and ".." not in path.split("/")


def mounts(pod: pods.Pod, container: pods.Container, host: Host, parts: SubPaths) -> Iterator[Mount]:
    """What of the pod's volumes this container sees. parts: what `sub_paths` found."""
    volumes = {str(volume.get("name", "")): volume for volume in pod.spec.volumes}
    for index, mount in enumerate(container.volume_mounts):
        volume = volumes.get(mount.name)
        if volume is None or (mount.name.startswith(API_ACCESS) and host.tokens is None):
            continue
        path = parts[index].target if index in parts else origin(pod, volume, host)
        propagation = "" if mount.mount_propagation == "None" else mount.mount_propagation
        # What is made from the API's objects is the API's: containers only read it.
        claimed = bool((volume.get("persistentVolumeClaim") or {}).get("readOnly"))
        yield Mount(path, mount.mount_path, mount.read_only or claimed or bool(_sources(volume)), propagation)


def origin(pod: pods.Pod, volume: Mapping, host: Host) -> str:
    """Where a volume's files are, ours or not."""
    if volume.get("hostPath") is not None:
        return str(volume["hostPath"].get("path", ""))
    if claims.name(pod, volume):
        found = claims.bound(pod, volume, host)
        return "" if isinstance(found, Waiting) else claims.path(found)
    return location(pod, volume, host)


SubPaths = Mapping[int, SubPath]
"""By the mount's place in the container's list."""


def sub_paths(pod: pods.Pod, container: pods.Container, env: Mapping[str, str], host: Host) -> SubPaths | Waiting:
    """The parts of volumes that the container's mounts name, or in the kubelet's words why there is none."""
    volumes = {str(volume.get("name", "")): volume for volume in pod.spec.volumes}
    found: dict[int, SubPath] = {}
    for index, mount in enumerate(container.volume_mounts):
        path, volume = mount.sub_path, volumes.get(mount.name)
        if volume is not None and claims.name(pod, volume):
            # A container that is started again while its claim has no volume must not find a folder of the image there.
            found_volume = claims.bound(pod, volume, host)
            if isinstance(found_volume, Waiting):
                return found_volume
        if mount.sub_path_expr:
            missing = environment.missing(mount.sub_path_expr, env)
            if missing:
                return Waiting(environment.CONFIG_ERROR, f'missing value for "{missing}"')
            path = environment.expand(mount.sub_path_expr, env)
        if not path or volume is None:
            continue
        if path.startswith("/"):
            return Waiting(environment.CONFIG_ERROR, f"error SubPath `{path}` must not be an absolute path")
        if not safe(path):
            return Waiting(environment.CONFIG_ERROR, f"unable to provision SubPath `{path}`: must not contain '..'")
        target = f"{host.volume_root}/{pod.metadata.uid}/{SUBPATHS}/{mount.name}/{container.name}/{index}"
        found[index] = SubPath(origin(pod, volume, host), path, target, mount.name)
    return found
