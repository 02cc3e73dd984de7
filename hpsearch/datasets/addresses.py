"""Says which addresses may be asked for data: public ones over https, and what the user names as the mirror."""

import ipaddress
import socket
from urllib.parse import urlsplit, urlunsplit

from hpsearch.errors import DataRefused
from hpsearch.paths import expanded

MIRROR_SCHEMES = ("https", "http", "file")


class NotFetched(Exception):
    """One address did not give the file; another may."""


def as_address(mirror: str) -> str:
    """The address of a mirror: an http, https or file address as it is, a folder as a file address.

    Raises DataRefused if it cannot be read as an address.
    """
    if "://" not in mirror:
        return expanded(mirror).resolve().as_uri()
    try:
        scheme, _ = urlsplit(mirror).scheme, urlsplit(mirror).port
    except ValueError:
        scheme = ""
    if scheme not in MIRROR_SCHEMES:
        message = f"the mirror is no {', '.join(MIRROR_SCHEMES)} address and no folder\n  mend data.mirror or --mirror"
        raise DataRefused(message)
    return mirror


def shown(url: str) -> str:
    """The address without a password, token or query, for people and logs."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def refuse_unsafe(url: str, mirror: str | None) -> None:
    """Raise NotFetched unless the address is public and https, or on the very host of the user's own mirror.

    Link-local addresses, where clouds keep their secrets, are refused to a mirror too.
    """
    parts = urlsplit(url)
    own = mirror is not None and _host(url) == _host(mirror)
    if parts.scheme != "https" and not (own and parts.scheme == "http"):
        message = f"only https addresses are asked, not {parts.scheme!r}"
        raise NotFetched(message)
    for address in _resolved(url):
        if address.is_link_local or not (own or address.is_global):
            message = f"{parts.hostname} is at {address}, not a public address"
            raise NotFetched(message)


def _host(url: str) -> tuple[str | None, int | None]:
    parts = urlsplit(url)
    return parts.hostname, parts.port


def _resolved(url: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        found = [host] if _is_literal(host) else _looked_up(url, host, parts.port)
    except (OSError, UnicodeError) as error:
        message = f"the host {host!r} is not known (is there a network?)"
        raise NotFetched(message) from error
    addresses = [ipaddress.ip_address(text) for text in found]
    return [getattr(address, "ipv4_mapped", None) or address for address in addresses]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _looked_up(url: str, host: str, port: int | None) -> list[str]:
    from requests.utils import get_environ_proxies, select_proxy

    if select_proxy(url, get_environ_proxies(url)):  # the proxy looks names up; behind it this machine often cannot
        return []
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)]
