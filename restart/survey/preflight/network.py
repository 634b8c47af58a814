"""Rules about what is live and not written down: addresses, routes, kernel settings, firewall rules."""

from __future__ import annotations

from collections.abc import Iterator

from restart.model.preflight import Found, Grade
from restart.probes.sections import addresses, firewall, sysctls
from restart.probes.sweep import Swept

MAKERS = frozenset(
    [
        "docker",
        "podman",
        "containerd",
        "kubelet",
        "k3s",
        "k3s-agent",
        "libvirtd",
        "fail2ban",
        "lxc-net",
        "lxd",
        "incus",
        "cilium",
        "calico",
    ]
)
"""They make rules for themselves and will again; beside them a rule cannot be told to be anybody's."""


def live_addresses(swept: Swept) -> Iterator[Found]:
    """Addresses and routes that no file names."""
    seen = swept.of(addresses.SECTION)
    if seen is None or not seen.is_known:
        return
    for address in seen.lost_addresses:
        yield Found(
            rule="address-not-kept",
            grade=Grade.BLOCKS,
            evidence=f"{address.what} on {address.device} is in no network configuration of the host",
            why="after the reboot the host does not have it",
            mend="write it into the host's network configuration, or take it away now (ip addr del)",
        )
    for route in seen.lost_routes:
        is_default = route.what.startswith("default ")
        if is_default and seen.dhcp:
            continue
        yield Found(
            rule="route-not-kept",
            grade=Grade.BLOCKS if is_default else Grade.WARNS,
            evidence=f"{route.what} on {route.device} is in no network configuration of the host",
            why="after the reboot nothing beyond it is reached" if is_default else "after the reboot the host lacks it",
            mend="write it into the host's network configuration, or take it away now (ip route del)",
        )


def settings(swept: Swept) -> Iterator[Found]:
    """Kernel settings of which the file says something else than is so, or that were set by hand."""
    seen = swept.of(sysctls.SECTION)
    if seen is None:
        return
    for one in seen.differing:
        yield Found(
            rule="sysctl-differs",
            grade=Grade.WARNS,
            evidence=f"{one.key} is {one.live}, and {one.file} says {one.kept}",
            why="the reboot sets it as the file says, and what was tuned live is gone",
            mend="write the value that is right into the file, or set it now: sysctl --system",
        )
    for key, value in seen.unkept:
        yield Found(
            rule="sysctl-not-kept",
            grade=Grade.NOTES,
            evidence=f"{key} is {value}, which is not the kernel's own value, and no file says so",
            why="it falls back at the reboot, unless a service sets it as it starts",
            mend=f"echo '{key} = {value}' > /etc/sysctl.d/90-{key.replace('.', '-')}.conf, if it is meant",
        )


def firewalls(swept: Swept) -> Iterator[Found]:
    """Rules that are live where nothing would bring them back."""
    seen = swept.of(firewall.SECTION)
    if seen is None or not seen.rules or seen.keepers:
        return
    yield Found(
        rule="firewall-not-kept",
        grade=Grade.WARNS,
        evidence=f"{seen.rules} firewall {'rule is' if seen.rules == 1 else 'rules are'} live, and no service that sets rules is enabled",
        why="after the reboot the host is open",
        mend="write them down (nft list ruleset > /etc/nftables.conf; systemctl enable nftables), or flush them now",
    )
