"""Who may ask the server: requests with the token, by the page itself, under the server's own name.

Other web sites can let a browser send requests to 127.0.0.1, and can give their own name the address 127.0.0.1 (DNS
rebinding). Origin and Fetch Metadata tell the first (https://www.w3.org/TR/fetch-metadata/), Host tells the second.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Access:
    """What a request must show.

    Attributes:
        port: the server's.
        token: random; whoever has it may do all that the page can do.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def address(self) -> str:
        """Of the page, with the token."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Name of the cookie that holds the token: other servers of this machine get it, too, so it names the port."""
        return f"parastitch-{self.port}"

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and message for a request that is not answered; None: it is."""
        hosts = _values(scope, b"host")
        names = [f"{name}:{self.port}".encode() for name in ("127.0.0.1", "localhost")]
        if len(hosts) != 1 or hosts[0].lower() not in names:
            return 403, f"wrong host; expected 127.0.0.1:{self.port}"
        if any(origin != b"http://" + hosts[0].lower() for origin in _values(scope, b"origin")):
            return 403, "requests of other web pages are refused"
        followed_link = scope["path"] == "/" and scope["method"] == "GET"
        sites = _values(scope, b"sec-fetch-site")
        if not followed_link and any(site not in (b"same-origin", b"none") for site in sites):
            return 403, "requests of other web pages are refused"
        if not any(secrets.compare_digest(given, self.token.encode()) for given in self._tokens(scope)):
            return 401, "the token is missing or wrong; open the address that parastitch ui has printed"
        return None

    def _tokens(self, scope: Scope) -> Iterator[bytes]:
        yield from _values(scope, b"x-token")
        for cookies in _values(scope, b"cookie"):
            for cookie in cookies.split(b";"):
                name, _, value = cookie.strip().partition(b"=")
                if name == self.cookie.encode():
                    yield value
        if scope["path"] == "/":
            for value in parse_qs(scope["query_string"].decode("latin-1")).get("token", []):
                yield value.encode()


@dataclass(frozen=True)
class Guard:
    """ASGI middleware: refuses what may not be asked, and gives every answer the headers that keep the page closed."""

    app: ASGIApp
    access: Access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refused = self.access.refusal(scope)
        answer = self.app if refused is None else JSONResponse({"error": refused[1]}, refused[0])
        await answer(scope, receive, send_with_headers)


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]
