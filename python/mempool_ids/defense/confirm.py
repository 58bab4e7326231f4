"""A page where a human answers whether to act: a link with a signature opens it, and two buttons answer.

Opening the link answers nothing: mail filters and chat programs open links, too. The key that signs is made at the
start and kept nowhere; a link is worth nothing after a restart, and nothing once its action was decided.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import html
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

from mempool_ids.exceptions import ConfigError, MempoolIdsError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

Describe = Callable[[str], str | None]
"""What an action that waits for an answer is about, in words; None where none of that id does."""
Answer = Callable[[str, bool, str], Awaitable[None]]
"""Takes action, yes or no, and who said so. Raises MempoolIdsError where it comes too late."""

_LONGEST = 64

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>:root{{color-scheme:light dark}}button{{font:inherit;padding:.6rem 1.4rem}}
body{{font:1.1rem/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}}</style>
<h1>{title}</h1><p>{text}</p>{form}</html>"""
_FORM = """<form method="post"><button name="answer" value="yes">Pause it</button>
<button name="answer" value="no">Do not</button></form>"""


class ConfirmPage:
    """Serves the page on the loop that starts it.

    Args:
        listen: `host:port`; port 0 lets the kernel choose.
        url: how people reach it from outside; None is `http://` and where it listens.

    Raises:
        ConfigError: `listen` is no address, or is in use.
    """

    def __init__(self, listen: str, url: str | None, describe: Describe, answer: Answer) -> None:
        host, _, port = listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ConfigError(f"defense.confirm.listen: {listen!r} is not host:port")
        self._host, self._port = host.strip("[]"), int(port)
        self._url = url
        self._describe = describe
        self._answer = answer
        self._key = secrets.token_bytes(32)
        self._serving: asyncio.Task[None] | None = None

    def link(self, action_id: str) -> str:
        """Opens the page of an action."""
        base = self._url or f"http://{self._host}:{self._port}"
        return f"{base.rstrip('/')}/confirm/{action_id}/{self._token(action_id)}"

    def _token(self, action_id: str) -> str:
        return hmac.new(self._key, action_id.encode(), hashlib.sha256).hexdigest()[:32]

    async def start(self) -> None:
        try:
            import uvicorn
            from starlette.applications import Starlette
            from starlette.routing import Route
        except ImportError as error:
            raise ConfigError(
                f"defense.confirm.listen needs {error.name}: pip install 'mempool-ids[defense]'"
            ) from None

        class Server(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield  # they are the sensor's

        route = Route("/confirm/{action}/{token}", self._handle, methods=["GET", "POST"])
        config = uvicorn.Config(
            Starlette(routes=[route]),
            log_config=None,
            access_log=False,  # links are secrets
            lifespan="off",
            timeout_keep_alive=5,
            limit_concurrency=64,
            server_header=False,
        )
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listening = socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            where = f"{self._host}:{self._port}"
            raise ConfigError(f"defense.confirm.listen: cannot listen on {where}: {error.strerror}") from None
        self._port = listening.getsockname()[1]
        self._server = Server(config)
        self._serving = asyncio.create_task(self._server.serve([listening]), name="defense-confirm")

    async def stop(self) -> None:
        if self._serving is not None:
            self._server.should_exit = True
            await asyncio.gather(self._serving, return_exceptions=True)

    async def _handle(self, request: Request) -> Response:
        action = request.path_params["action"]
        is_ours = hmac.compare_digest(self._token(action).encode(), request.path_params["token"].encode())
        about = self._describe(action) if is_ours else None
        if about is None:
            return _page("Nothing to decide", "This was decided already, or is not known.", status=404)
        if request.method == "GET":
            return _page("Pause?", about, form=_FORM)
        said = await _body(request)
        if said not in (b"answer=yes", b"answer=no"):
            return _page("Pause?", about, form=_FORM, status=400)
        yes = said == b"answer=yes"
        try:
            await self._answer(action, yes, "link")
        except MempoolIdsError:
            log.exception("defense: an answer to %s came to nothing", action)
            return _page("Too late", "This was decided already.", status=409)
        return _page(
            "Answered",
            "The pause is being sent: see the log for what becomes of it." if yes else "It is not paused.",
        )


async def _body(request: Request) -> bytes:
    """As much of it as an answer can have."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            break
    return body


def _page(title: str, text: str, *, form: str = "", status: int = 200) -> Response:
    from starlette.responses import HTMLResponse

    body = _PAGE.format(title=title, text=html.escape(text), form=form)
    return HTMLResponse(body, status, headers=_HEADERS)
