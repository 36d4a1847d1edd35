"""How a pod is called and whom it knows by name: its hostname, its /etc/hosts, its resolver.

Owns the kubelet's words in the hosts file and its rules for merging `dnsConfig` into what the policy gives. There is no cluster DNS yet, so
that ClusterFirst is what Default is: the host's own resolver.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.lifecycle.life import Host
from agent.runtime.contract import Dns
from common.objects import pod as pods

CLUSTER_DOMAIN = "cluster.local"
HOSTNAME_MOST = 63
SERVERS_MOST = 3
SEARCHES_MOST = 32
LOCAL = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
OF_HOST = "# Kubernetes-managed hosts file (host network).\n"
ALIASES = "\n# Entries added by HostAliases.\n"


def short(pod: pods.Pod) -> str:
    return (pod.spec.hostname or pod.metadata.name)[:HOSTNAME_MOST].rstrip("-.")


def domain(pod: pods.Pod) -> str:
    """"" unless the pod names a subdomain."""
    return f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{CLUSTER_DOMAIN}" if pod.spec.subdomain else ""


def hostname(pod: pods.Pod) -> str:
    """As the kernel is told."""
    full = pod.spec.set_hostname_as_fqdn and domain(pod)
    return f"{short(pod)}.{full}" if full else short(pod)


def hosts_file(pod: pods.Pod, *, ip: str, host: Host) -> bytes | None:
    """None: the host's own, as the runtime gives it."""
    aliases = "".join(f"{each.get('ip', '')}\t{_names(each)}\n" for each in pod.spec.host_aliases)
    if pod.spec.host_network:
        return (OF_HOST + host.hosts + ALIASES + aliases).encode() if aliases else None
    full = domain(pod)
    own = f"{ip}\t{short(pod)}.{full}\t{short(pod)}\n" if full else f"{ip}\t{short(pod)}\n"
    return (LOCAL + own + (ALIASES + aliases if aliases else "")).encode()


def _names(alias: Mapping) -> str:
    return "\t".join(str(name) for name in alias.get("hostnames") or ())


def dns(pod: pods.Pod, host: Host) -> Dns | None:
    """None: the host's resolver, as the runtime gives it."""
    asked = pod.spec.dns_config or {}
    if not asked and pod.spec.dns_policy != "None":
        return None
    base = Dns() if pod.spec.dns_policy == "None" else host.dns
    options = {option.partition(":")[0]: option for option in base.options}
    for each in asked.get("options") or ():
        name, value = str(each.get("name", "")), each.get("value")
        options[name] = name if value is None else f"{name}:{value}"
    return Dns(
        servers=_merged(base.servers, asked.get("nameservers"))[:SERVERS_MOST],
        searches=_merged(base.searches, asked.get("searches"))[:SEARCHES_MOST],
        options=tuple(options.values()),
    )


def _merged(base: tuple[str, ...], more: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*base, *(str(each) for each in (more if isinstance(more, list | tuple) else ()))]))


def resolver(text: str) -> Dns:
    """From a resolv.conf."""
    found: dict[str, list[str]] = {"nameserver": [], "search": [], "options": []}
    for line in text.splitlines():
        key, *words = line.split("#")[0].split() or [""]
        if key == "nameserver":
            found[key] += words[:1]
        elif key in found:
            found[key] = words
    return Dns(tuple(found["nameserver"]), tuple(found["search"]), tuple(found["options"]))
