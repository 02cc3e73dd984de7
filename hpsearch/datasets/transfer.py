"""Brings the bytes at one address into a `.part` file, going on where an earlier try broke off."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import unquote, urljoin, urlsplit

from hpsearch.datasets.addresses import NotFetched, refuse_unsafe
from hpsearch.datasets.storing import telling_when_full
from hpsearch.protocols import Progress

if TYPE_CHECKING:
    from requests import Response, Session

REDIRECTS = 3
CHUNK = 1 << 18
TIMEOUT = (10, 30)  # seconds to connect, and between two pieces
SLOWEST = 10_000  # bytes a second, over the whole file, after a minute's grace
OK, PARTIAL, BEYOND_END = 200, 206, 416


@dataclass(frozen=True)
class Errand:
    """What to bring from where into which `.part` file; `mirror` is the address the user named, None for our own."""

    url: str
    part: Path
    most_bytes: int
    mirror: str | None = None


class BrokenOff(NotFetched):
    """The connection ended before the file did; asking again may bring the rest."""


class _Source(Protocol):
    def read1(self, amt: int, /) -> bytes:
        """The next bytes, as soon as there are any; none at the end."""


def bring(errand: Errand, progress: Progress) -> None:
    """Fill the `.part` file, never beyond `most_bytes`.

    Raises NotFetched, BrokenOff when the rest may still come, and FolderUnusable when the disk is full.
    """
    with telling_when_full(errand.part.parent):  # which closing the file may find out, too
        if urlsplit(errand.url).scheme == "file":
            _bring_file(errand, progress)
        else:
            _bring_from_afar(errand, progress)


def _bring_from_afar(errand: Errand, progress: Progress) -> None:
    import requests

    with requests.Session() as session:
        try:
            _bring_http(session, errand, progress)
        except requests.exceptions.RequestException as error:
            message = f"cannot be reached ({type(error).__name__})"  # its text may hold the address with a password
            raise BrokenOff(message) from error
        except ValueError as error:  # from urllib.parse
            message = "redirects to something that is no address"
            raise NotFetched(message) from error


def _bring_file(errand: Errand, progress: Progress) -> None:
    if errand.mirror is None:
        message = "a file address is taken only as your own mirror"
        raise NotFetched(message)
    path = Path(unquote(urlsplit(errand.url).path))
    if not path.is_file():
        message = "there is no such file"
        raise NotFetched(message)
    with path.open("rb") as file, errand.part.open("wb") as out:
        _pour(file, out, path.stat().st_size, errand.most_bytes, progress)


def _bring_http(session: "Session", errand: Errand, progress: Progress) -> None:
    from urllib3.exceptions import HTTPError

    have = errand.part.stat().st_size if errand.part.exists() else 0
    with _asked(session, errand, have) as response:
        if response.status_code == BEYOND_END and have:
            return  # all of it is here, or something else: the checksum will tell
        if response.status_code not in (OK, PARTIAL):
            message = f"answers {response.status_code} {response.reason}"
            raise NotFetched(message)
        goes_on = response.status_code == PARTIAL and _begins_at(response, have)
        length = response.headers.get("Content-Length", "")
        total = int(length) + (have if goes_on else 0) if length.isdigit() else None
        with errand.part.open("ab" if goes_on else "wb") as out:
            try:
                with telling_when_full(errand.part.parent):  # else it would be taken for the line's error
                    _pour(response.raw, out, total, errand.most_bytes, progress)
            except (HTTPError, OSError) as error:
                message = f"broke off after {out.tell():,} bytes"
                raise BrokenOff(message) from error


def _asked(session: "Session", errand: Errand, have: int) -> "Response":
    """The answer to a request for the rest of the file, after at most three redirects within one scheme."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    url = errand.url
    for _ in range(REDIRECTS + 1):
        refuse_unsafe(url, errand.mirror)
        response = session.get(url, headers=headers, stream=True, allow_redirects=False, timeout=TIMEOUT)
        if not response.is_redirect:
            return response
        target = urljoin(url, response.headers["Location"])
        response.close()
        if urlsplit(target).scheme != urlsplit(url).scheme:
            message = f"redirects from {urlsplit(url).scheme} to {urlsplit(target).scheme!r}"
            raise NotFetched(message)
        url = target
    message = f"redirects more than {REDIRECTS} times"
    raise NotFetched(message)


def _begins_at(response: "Response", have: int) -> bool:
    if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        message = "answers with another piece than the one asked for"
        raise NotFetched(message)
    return True


def _pour(source: _Source, out: BinaryIO, total: int | None, most_bytes: int, progress: Progress) -> None:
    name = Path(out.name).name.removesuffix(".part")
    late = time.monotonic() + 60 + most_bytes / SLOWEST
    done = out.tell()
    while done <= most_bytes and (chunk := source.read1(CHUNK)):
        out.write(chunk[: most_bytes + 1 - done])
        done += len(chunk)
        progress(name, done, total)
        if time.monotonic() > late:
            message = f"is too slow: {done:,} bytes in {60 + most_bytes / SLOWEST:.0f} seconds"
            raise NotFetched(message)
    if done > most_bytes:
        out.truncate(0)
        message = f"sends more than the {most_bytes:,} bytes that the file may have"
        raise NotFetched(message)
    if total is not None and done < total:
        message = f"broke off after {done:,} of {total:,} bytes"
        raise BrokenOff(message)
