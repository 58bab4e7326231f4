"""HTTP clients whose URLs stay out of logs: they may hold a key."""

import logging

import httpx2

from mempool_ids.config import Url
from mempool_ids.exceptions import ConfigError


class _HideUrls(logging.Filter):
    """httpx2 logs each request with its URL."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: dict[httpx2.URL, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                self.hidden.get(each, each) if isinstance(each, httpx2.URL) else each for each in record.args
            )
        return True


_hide_urls = _HideUrls()
logging.getLogger("httpx2").addFilter(_hide_urls)


def client(
    url: Url,
    timeout_s: float,
    *,
    transport: httpx2.AsyncBaseTransport | None = None,
    environment: bool = True,
) -> httpx2.AsyncClient:
    """A client that asks `url` and follows no redirects.

    Args:
        url: what will be asked.
        timeout_s: of each connect, read and write.
        transport: instead of the network, for tests.
        environment: whether the environment's proxy and certificates are used.

    Raises:
        ConfigError: the URL, or the environment's proxy or certificates, cannot be used; the message has no URL.
    """
    try:
        _hide_urls.hidden[httpx2.URL(url.full)] = str(url)
    except httpx2.InvalidURL:
        raise ConfigError("not a URL that can be asked") from None
    try:
        return httpx2.AsyncClient(
            transport=transport, timeout=timeout_s, follow_redirects=False, trust_env=environment
        )
    except Exception as error:
        # A bad proxy URL may hold a password: of errors about values, only the kind is shown.
        shown = f": {error}" if isinstance(error, (ImportError, OSError)) else ""
        raise ConfigError(
            "the environment's proxy (ALL_PROXY, …) or certificates (SSL_CERT_FILE, …) "
            f"cannot be used: {type(error).__name__}{shown}"
        ) from None
