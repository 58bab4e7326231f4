"""Where requests of one endpoint go, and a socket to it that never makes anybody wait."""

from __future__ import annotations

import base64
import ctypes
import os
import socket
import ssl
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import h11

from mempool_ids.config import Url
from mempool_ids.exceptions import ConfigError


class Dead(OSError):
    """The connection ended, or cannot be used any more."""


def why(error: Exception) -> str:
    """In words, without host or URL."""
    if isinstance(error, Dead):
        return str(error)
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {type(error).__name__}"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    # The number of a name that is not found is below zero.
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return "cannot connect"


# socket.send lets go of the GIL around the system call. A busy thread then keeps it for a whole switch interval
# (5 ms unless set otherwise) before the next endpoint's bytes go out. A send that cannot block need not let go.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_libc.send.restype = ctypes.c_ssize_t


def send_now(to: socket.socket, data: bytes) -> int:
    """Writes as much as the socket's buffer takes, and returns how much; never waits. Python ignores SIGPIPE.

    Raises:
        OSError: the connection is dead.
    """
    if isinstance(to, ssl.SSLSocket):
        try:
            return to.send(data)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0
    sent: int = _libc.send(to.fileno(), data, len(data), socket.MSG_DONTWAIT)
    if sent >= 0:
        return sent
    error = ctypes.get_errno()
    if error in (socket.EAGAIN, socket.EWOULDBLOCK):
        return 0
    raise OSError(error, os.strerror(error))


class Target:
    """Where requests of one endpoint go, and the head they begin with.

    Raises:
        ConfigError: it is no URL that can be asked; the message has no URL.
    """

    def __init__(self, url: Url, context: Callable[[], ssl.SSLContext]) -> None:
        parts = urlsplit(url.full)
        if parts.scheme not in ("http", "https"):
            raise ConfigError(f"{url}: must begin with http:// or https://")
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.context = context() if parts.scheme == "https" else None
        shown = f"[{self.host}]" if ":" in self.host else self.host
        headers = [
            ("Host", f"{shown}:{parts.port}" if parts.port else shown),
            ("Content-Type", "application/json"),
            # Uncompressed: the bound on a reply is one on what is read.
            ("Accept-Encoding", "identity"),
        ]
        if parts.username or parts.password:
            pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            # h11 writes the head once, and refuses what is no header; the length of a body is all that changes.
            head = h11.Connection(h11.CLIENT).send(h11.Request(method="POST", target=path, headers=headers))
        except (h11.LocalProtocolError, UnicodeEncodeError):
            raise ConfigError(f"{url}: not a URL that can be asked") from None
        self._head = bytes(head or b"").removesuffix(b"\r\n") + b"Content-Length: "

    def request(self, body: bytes) -> bytes:
        """All bytes of a request."""
        return self._head + str(len(body)).encode() + b"\r\n\r\n" + body

    def dial(self, timeout_s: float) -> socket.socket:
        """A connected socket that does not block any more. Takes up to `timeout_s` for each step.

        Raises:
            OSError: it cannot be reached, or has no certificate for its name.
        """
        plain = socket.create_connection((self.host, self.port), timeout_s)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            made = self.context.wrap_socket(plain, server_hostname=self.host) if self.context else plain
        except BaseException:
            plain.close()
            raise
        made.setblocking(False)
        return made
