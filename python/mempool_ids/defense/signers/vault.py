"""A key from HashiCorp Vault's KV store, version 2."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mempool_ids.config import defense as sections
from mempool_ids.defense.signers.base import needs
from mempool_ids.defense.signers.local import LocalSigner, key_of

if TYPE_CHECKING:
    from coincurve import PrivateKey


class VaultSigner(LocalSigner):
    """Reads the key once, when it is opened. Vault's Transit engine has no secp256k1 and cannot sign for a chain."""

    def __init__(self, section: sections.VaultSigner) -> None:
        super().__init__()
        self._section = section

    async def _read(self) -> PrivateKey | str:
        needs("hvac", "vault")
        return await asyncio.to_thread(_fetch, self._section)


def _fetch(section: sections.VaultSigner) -> PrivateKey | str:
    import hvac
    from requests.exceptions import RequestException

    where = f"Vault at {section.url}, {section.mount}/{section.path}"
    client = hvac.Client(
        section.url.full,
        section.token.reveal(),
        timeout=section.timeout_s,
        # Elsewhere the token would be shown to somebody else.
        allow_redirects=False,
    )
    try:
        answer = client.secrets.kv.v2.read_secret_version(
            section.path, mount_point=section.mount, raise_on_deleted_version=True
        )
        fields: Any = answer["data"]["data"]
        key = fields.get(section.field)
    except RequestException as error:
        return f"{where}: {_UNREACHED.get(type(error).__name__, 'cannot be reached')}; look at `url` and `timeout_s`"
    except hvac.exceptions.VaultError as error:
        # Its text may have the answer in it.
        return f"{where}: {_REFUSED.get(type(error).__name__, f'refuses ({type(error).__name__})')}"
    except Exception:
        return f"{where}: no answer of a KV store of version 2; look at `mount`"
    finally:
        client.adapter.close()
    if key is None:
        return f"{where}: has no field {section.field!r}; set `field` to the one with the key"
    if not isinstance(key, str):
        return f"{where}: field {section.field!r} is no text"
    return key_of(key, f"{where}, field {section.field!r},")


_UNREACHED = {
    "ConnectTimeout": "no answer in time",
    "ReadTimeout": "no answer in time",
    "SSLError": "its certificate is not trusted",
}
_REFUSED = {
    "Forbidden": "denied: the token is wrong or expired, or its policy may not read this (docs/signers.md)",
    "Unauthorized": "denied: the token is wrong or expired",
    "InvalidPath": "nothing is there, or it was deleted; look at `mount` and `path`",
    "VaultDown": "it is sealed or not started: unseal it",
}
