"""Other machines that the host's own files name, and that it will want when it boots: file servers, name servers, time, log-in, logs,
packages, container images, proxies, and the names in the units that an administrator wrote.

Read from files only: nothing is resolved, and no network file system is touched. What of it is a machine of the fleet is for the reader to
find. Of unit files, and of the files that units take their environment from (`EnvironmentFile=`, of packaged units as well), only what may be a
name or an address is sent: never what stands before an `@`, nor what is called a password, a secret, a token or a key. The reader drops what is
no machine of the fleet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from restart.probes.section import Lines, Section
from restart.probes.sections.connections import plain

KINDS: Mapping[str, int | None] = {
    "mount": None, "resolver": 53, "ntp": 123, "ldap": 389, "syslog": 514, "package": None, "image": 443, "proxy": 3128, "unit": None,
}  # fmt: skip
"""What a machine is named for, and the usual port of that."""

_PORTS = {"nfs": 2049, "nfs4": 2049, "cifs": 445, "smb3": 445, "http": 80, "https": 443, "ldaps": 636, "ldap": 389}
"""The usual ports of file systems and of schemes in URLs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`name` (a name or an address) is named in `file` for what `kind` says; `port` None where neither the text nor the kind tells.

    `detail` is the mount point of a mount, and of a file of a unit's environment that unit. `is_live`: it is mounted now; `is_needed`: a boot waits for it, and stops without it.
    """

    kind: str
    file: str
    name: str
    port: int | None = None
    detail: str = ""
    is_live: bool = False
    is_needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """`names` is what the host's own /etc/hosts says: name to address."""

    found: tuple[Reference, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True


_TEXT = r"""
e=$R/etc; n=0
set --
for f in "$p/mounts" "$e/hosts" "$e/fstab" "$e/resolv.conf" "$r/systemd/resolve/resolv.conf" "$e"/chrony.conf "$e"/chrony/chrony.conf \
"$e"/chrony/conf.d/*.conf "$e"/chrony/sources.d/*.sources "$e"/chrony.d/*.conf "$e/ntp.conf" "$e/ntpsec/ntp.conf" \
"$e/systemd/timesyncd.conf" "$e"/systemd/timesyncd.conf.d/*.conf "$e/sssd/sssd.conf" "$e"/sssd/conf.d/*.conf "$e/ldap/ldap.conf" \
"$e/openldap/ldap.conf" "$e/nslcd.conf" "$e/krb5.conf" "$e/rsyslog.conf" "$e"/rsyslog.d/*.conf "$e/syslog.conf" \
"$e/syslog-ng/syslog-ng.conf" "$e"/syslog-ng/conf.d/*.conf "$e/systemd/journal-upload.conf" "$e/apt/sources.list" \
"$e"/apt/sources.list.d/*.list "$e"/apt/sources.list.d/*.sources "$e/apt/apt.conf" "$e"/apt/apt.conf.d/* "$e"/yum.repos.d/*.repo \
"$e/yum.conf" "$e/dnf/dnf.conf" "$e"/zypp/repos.d/*.repo "$e/apk/repositories" "$e/docker/daemon.json" "$e/containers/registries.conf" \
"$e"/containers/registries.conf.d/*.conf "$e"/containerd/certs.d/*/hosts.toml "$e/containerd/config.toml" \
"$e/rancher/k3s/registries.yaml" "$e/environment" "$e"/systemd/system/*.service "$e"/systemd/system/*.mount \
"$e"/systemd/system/*.d/*.conf "$r"/systemd/system/*.service; do
[ -f "$f" ] && [ -r "$f" ] && [ $n -lt 400 ] && n=$((n + 1)) && set -- "$@" "$f"
done
IFS="
"
for l in $(grep -s "^[[:space:]]*EnvironmentFile[[:space:]]*=" /dev/null "$e"/systemd/system/*.service "$e"/systemd/system/*.d/*.conf "$r"/systemd/system/*.service \
"$R"/usr/local/lib/systemd/system/*.service "$R"/usr/lib/systemd/system/*.service | sed -n -e 's/^\([^:]*\):[^=]*=[[:space:]]*-\{0,1\}\(\/[^%]*\)$/\1:\2/p' | sed 300q); do
u=${l%%:*}; case $u in *.d/*) u=${u%/*}; u=${u%.d};; esac
for f in $R${l#*:}; do
[ -f "$f" ] && [ -r "$f" ] && [ $n -lt 500 ] && n=$((n + 1)) && set -- "$@" "unit=${u##*/}" "$f"
done
done
unset IFS
[ $# = 0 ] || awk -v root="$R" -v proc="$p/mounts" '
function tell(kind, value) {
if (value == "" || length(value) > 200 || (kind f value) in told) return
told[kind f value] = 1; print kind " " f " " value
}
function urls(kind, l, h) {
while (match(l, "[a-z][a-z0-9+]*://(\\[[0-9a-fA-F:.]+\\])?[^] \t\"\047,;>/]*")) {
h = substr(l, RSTART, RLENGTH); l = substr(l, RSTART + RLENGTH)
sub(/:\/\/[^@]*@/, "://", h); tell(kind, h)
}
}
function quoted(kind, l, h) {
while (match(l, /"[^"]+"/)) {
h = substr(l, RSTART + 1, RLENGTH - 2); l = substr(l, RSTART + RLENGTH)
if (h !~ /:\/\// && h ~ /[.:]/) tell(kind, h)
}
}
function words(kind, l, w, i, m) { m = split(l, w, /[ \t,]+/); for (i = 1; i <= m; i++) tell(kind, w[i]) }
function tokens(l, w, i, m, t) {
gsub("[^] \t/\"\047=,]*@", " ", l)
gsub(secret "[\"\047]*[=: \t]+[\"\047]*[^ \t\"\047;&,]*", " ", l)
gsub("[A-Za-z0-9_.-]+=", " ", l)
m = split(l, w, "[^]A-Za-z0-9._:/[-]+")
for (i = 1; i <= m; i++) {
t = w[i]
if (t ~ /:\/\//) sub(/^.*:\/\//, "", t)
if (substr(t, 1, 1) == "/" || substr(t, 1, 1) == "-") continue
sub(/\/.*$/, "", t); sub(/:$/, "", t)
if (length(t) > 1 && t !~ /^[0-9:]+$/ && ++many <= 2000) tell(unit == "" ? "unit" : "env " unit, t)
}
}
BEGIN { secret = "([Pp][Aa][Ss][Ss]([Ww][Oo][Rr][Dd]|[Ww][Dd]|[Pp][Hh][Rr][Aa][Ss][Ee])?|[Pp][Ww][Dd]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Tt][Oo][Kk][Ee][Nn]|[Cc][Rr][Ee][Dd][Ee][Nn][Tt][Ii][Aa][Ll][Ss]?|[Kk][Ee][Yy])" }
FNR == 1 { f = FILENAME; if (root != "" && index(f, root) == 1) f = substr(f, length(root) + 1); more = 0 }
FNR > 3000 { next }
FILENAME == proc {
if ($3 ~ /^(nfs4?|cifs|smb3|glusterfs|ceph|fuse\.glusterfs|fuse\.sshfs)$/) print "mount " f " live " $3 " " $1 " " $2
next
}
/^[ \t]*[#;]/ || (f ~ /apt/ && $1 ~ "^//") { next }
unit != "" {
sub(/^[ \t]*(export[ \t]+)?/, "")
i = index($0, "="); k = toupper(substr($0, 1, i - 1))
if (k ~ /PASS|SECRET|TOKEN|CREDENTIAL|PRIVATE|PWD|SALT|COOKIE|SIGN|(^|_)KEYS?$|APIKEY/ && k !~ /(URL|URI|DSN|HOSTS?|SERVERS?|ADDR|ADDRESS|ENDPOINTS?)$/) next
if (k ~ /^[A-Z_][A-Z0-9_]*$/) $0 = substr($0, i + 1)
else if (!more) next
more = ($0 ~ /\\$/)
tokens($0); next
}
f ~ /\/etc\/hosts$/ { if (NF > 1 && ++hosts <= 300) print "host " $0; next }
f ~ /\/fstab$/ {
if ($3 ~ /^(nfs4?|cifs|smb3|glusterfs|ceph|fuse\.glusterfs|fuse\.sshfs)$/) print "mount " f " " ("," $4 "," ~ /,(noauto|nofail),/ ? "soft " : "hard ") $3 " " $1 " " $2
next
}
f ~ /resolv\.conf$/ { if ($1 == "nameserver") tell("resolver", $2); next }
f ~ /\/etc\/chrony|\/ntp\.conf$/ { if ($1 ~ /^(server|pool|peer)$/) tell("ntp", $2); next }
f ~ /timesyncd/ { if (sub(/^(Fallback)?NTP=/, "")) words("ntp", $0); next }
f ~ /\/sssd\// { if (sub(/^[ \t]*(ldap_uri|ldap_backup_uri|krb5_server|krb5_backup_server|ipa_server|ad_server)[ \t]*=[ \t]*/, "")) words("ldap", $0); next }
f ~ /ldap\.conf$|nslcd\.conf$/ { if (tolower($1) ~ /^(uri|host)$/) { sub(/^[ \t]*[A-Za-z]+[ \t]+/, ""); words("ldap", $0) }; next }
f ~ /krb5\.conf$/ { if (sub(/^[ \t]*(kdc|admin_server)[ \t]*=[ \t]*/, "")) words("ldap", $0); next }
f ~ /rsyslog|\/etc\/syslog\.conf$/ {
if (match($0, "[ \t]@@?([(][^)]*[)])?\\[?[A-Za-z0-9][^ \t;]*")) { t = substr($0, RSTART + 1, RLENGTH - 1); sub("^@+([(][^)]*[)])?", "", t); tell("syslog", t) }
if (match($0, /[Tt]arget="[^"]*"/)) tell("syslog", substr($0, RSTART + 8, RLENGTH - 9))
next
}
f ~ /syslog-ng/ { if (match($0, /(tcp6?|udp6?|network|syslog)\([ \t]*"[^"]+"/)) { t = substr($0, RSTART, RLENGTH - 1); sub(/^[^"]*"/, "", t); tell("syslog", t) }; next }
f ~ /journal-upload/ { if (sub(/^URL=/, "")) urls("syslog", $0); next }
f ~ /\/(apt|yum|dnf|zypp|apk)|yum\.conf$/ { urls(tolower($0) ~ /proxy/ ? "proxy" : "package", $0); next }
f ~ /\/(docker|containers|containerd|rancher)\// {
urls(tolower($0) ~ /prox(y|ies)/ ? "proxy" : "image", $0)
if ($0 ~ /location|prefix|registr/) quoted("image", $0)
next
}
f ~ /\/environment$/ { if (tolower($0) ~ /_proxy=/) urls("proxy", $0); next }
{
if (more || $0 ~ /^[ \t]*(Exec[A-Za-z]*|Environment|What)[ \t]*=/) {
more = ($0 ~ /\\$/)
sub(/^[ \t]*[A-Z][A-Za-z]*[ \t]*=/, "")
tokens($0)
}
}' "$@"
"""

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_])?")


def _read(lines: Lines) -> References:
    found = [one for word, value in lines.named() if word in (*KINDS, "env") for one in _references(word, value)]
    names: dict[str, str] = {}
    for value in lines.values("host"):
        words = value.partition("#")[0].split()
        for name in words[1:20]:
            names.setdefault(name.lower(), plain(words[0]))
    return References(found=tuple(dict.fromkeys(found)), names=names, complete=lines.complete)


def _references(kind: str, value: str) -> Iterator[Reference]:
    unit = ""
    if kind == "env":
        unit, _, value = value.partition(" ")
    file, _, rest = value.partition(" ")
    if kind == "mount":
        words = rest.split()
        if len(words) == 4:
            yield from _mount(file, *words)
        return
    scheme, name, port = parted(rest)
    if name:
        kind = "unit" if unit else kind
        usual = _PORTS.get(scheme, KINDS[kind])
        yield Reference(kind=kind, file=file, name=name, port=port or usual, detail=unit)


def _mount(file: str, how: str, file_system: str, device: str, place: str) -> Iterator[Reference]:
    """`server:/path` and, of CIFS, `//server/path`; of ceph and gluster there may be several servers."""
    text = device[2:].partition("/")[0] if device.startswith("//") else device.rpartition(":/")[0]
    servers = [text] if text.startswith("[") or file_system.startswith("nfs") else text.split(",")
    for server in servers[:10]:
        _, name, port = parted(server.rpartition("@")[2])
        if name:
            yield Reference(
                kind="mount", file=file, name=name, port=port or _PORTS.get(file_system), detail=place,
                is_live=how == "live", is_needed=how == "hard",
            )  # fmt: skip


def parted(text: str) -> tuple[str, str, int | None]:
    """The scheme of `scheme://name:port/path` (or `name:port`), the name or address in it, and the port; empty and None where there is none."""
    scheme, mark, rest = text.strip().partition("://")
    if not mark:
        scheme, rest = "", text.strip()
    rest = rest.partition("/")[0]
    if rest.startswith("["):
        name, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    elif rest.count(":") > 1:
        name, port = rest, ""
    else:
        name, _, port = rest.partition(":")
    number = int(port) if re.fullmatch("[0-9]{1,5}", port) else None
    name = plain(name)
    if ":" not in name and _NAME.fullmatch(name) is None:
        return scheme, "", None
    return scheme, name, number if number and number < 65536 else None


SECTION = Section(name="references", text=_TEXT, read=_read, lines_max=1500)
