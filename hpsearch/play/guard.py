"""Stands before the page and lets in only what the page itself asks for, from its own address.

Else another site, open in the same browser, could send it requests, or read it by a name that it makes point here.
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from hpsearch.play.bodies import NotTaken, replayed, whole
from hpsearch.play.doors import MOST_EVENT, Refusal, door

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "hpsearch_play"  # and the port: browsers keep one cookie of a name for all ports of a machine
LARGE_AT_ONCE = 4  # photographs whose bytes are in memory; those of the next ones stay with their senders
SEE_OTHER = 303
FOREIGN = Refusal(403, "this page answers to itself only")
SCRIPT = re.compile(rb"<script\b")
# Gradio's components compile their templates (unsafe-eval) and set styles; scripts within the page carry the number.
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}


@dataclass(frozen=True)
class Guard:
    """An ASGI app around another: for these hosts ("name:port") only, and with a token for who has it only."""

    app: "ASGIApp"
    hosts: frozenset[str]
    token: str = ""
    _large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LARGE_AT_ONCE))

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _Dressed(send, page=scope["path"] == "/"))
        else:  # the page needs no websockets
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: "Scope", receive: "Receive", send: "_Dressed") -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if refusal := self._foreign(scope, headers):
            await send.text(refusal)
        elif self.token and not self._known(headers):
            await self._admit(scope, headers, send)
        else:
            kind = headers.get("content-type", "")
            found = door(scope["method"], scope["path"], scope.get("raw_path", b""), kind)
            if isinstance(found, Refusal):
                await send.text(found)
                return
            async with self._large if found.most > MOST_EVENT else nullcontext():
                try:
                    body = await whole(receive, headers.get("content-length", ""), found.most)
                except NotTaken as error:
                    await send.text(error.refusal)
                    return
                await self.app(_plain(scope), replayed(body, receive), send)

    def _foreign(self, scope: "Scope", headers: Mapping[str, str]) -> Refusal | None:
        if sum(name == b"host" for name, _ in scope["headers"]) != 1 or headers["host"] not in self.hosts:
            return FOREIGN
        origin = headers.get("origin")
        changes = scope["method"] not in {"GET", "HEAD"}
        if origin is None:
            return FOREIGN if changes else None
        return None if origin == f"http://{headers['host']}" else FOREIGN

    def _known(self, headers: Mapping[str, str]) -> bool:
        pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        own = _cookie(headers)
        return any(name == own and _same(value, self.token) for name, _, value in pairs)

    async def _admit(self, scope: "Scope", headers: Mapping[str, str], send: "_Dressed") -> None:
        """Keep the token of the first address in a cookie, and go on without it in the address.

        The cookie is sent, too, where a link on another site is followed (Lax), for the address may be read in web
        mail; what changes anything is a POST, and has to come from the page itself.
        """
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] == "GET" and scope["path"] == "/" and _same(given, self.token):
            cookie = f"{_cookie(headers)}={self.token}; HttpOnly; SameSite=Lax; Path=/"
            await send.text(Refusal(SEE_OTHER, ""), {b"location": b"/", b"set-cookie": cookie.encode()})
        else:
            await send.text(Refusal(403, "open the address that `hpsearch play` printed, with its token"))


def _cookie(headers: Mapping[str, str]) -> str:
    """The name of this page's cookie; at HTTP's own port, which browsers leave out, it has no number."""
    return f"{COOKIE}_{headers['host'].partition(':')[2]}"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _plain(scope: "Scope") -> "Scope":
    """The request without a wish for compression: a page on this machine gains nothing by it, and is read here."""
    kept = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    return {**scope, "headers": kept}


class _Dressed:
    """Sends answers with the headers that have a browser keep to this page."""

    def __init__(self, send: "Send", *, page: bool) -> None:
        self._send, self._page, self._nonce = send, page, secrets.token_urlsafe(16)
        self._begun: Message | None = None
        self._body = b""

    async def __call__(self, message: "Message") -> None:
        if message["type"] == "http.response.start":
            own = {**HEADERS, b"content-security-policy": POLICY.format(nonce=self._nonce).encode()}
            kept = [pair for pair in message["headers"] if pair[0].lower() not in own]
            self._begun = {**message, "headers": [*kept, *own.items()]}
            if not self._page:
                await self._send(self._begun)
        elif self._page and message["type"] == "http.response.body":
            await self._signed(message)
        else:
            await self._send(message)

    async def _signed(self, message: "Message") -> None:
        """Send the page as a whole, its own scripts marked as such."""
        self._body += message.get("body", b"")
        if message.get("more_body", False) or self._begun is None:
            return
        body = SCRIPT.sub(b'<script nonce="%s"' % self._nonce.encode(), self._body)
        kept = [pair for pair in self._begun["headers"] if pair[0].lower() != b"content-length"]
        head = (b"content-length", str(len(body)).encode())
        await self._send({**self._begun, "headers": [*kept, head]})
        await self._send({"type": "http.response.body", "body": body})

    async def text(self, refusal: Refusal, more: Mapping[bytes, bytes] | None = None) -> None:
        """Send a few words in place of a page."""
        body = f"{refusal.why}\n".encode()
        headers = {b"content-type": b"text/plain; charset=utf-8", b"content-length": str(len(body)).encode()}
        closing = {} if refusal.status == SEE_OTHER else {b"connection": b"close"}  # its body may never come
        start = {"type": "http.response.start", "status": refusal.status}
        await self({**start, "headers": [*{**headers, **closing, **(more or {})}.items()]})
        await self({"type": "http.response.body", "body": body})
