"""A signer that is asked by JSON-RPC: Clef, or Web3Signer."""

import re
from typing import Any

from mempool_ids.config import defense as sections
from mempool_ids.config.values import checksummed
from mempool_ids.defense.signers.base import Signer
from mempool_ids.defense.transaction import SignerError, Transaction
from mempool_ids.node import HttpClient, Refused, RpcError, Unanswered

_NO_SUCH_METHOD = -32601
_BYTES = re.compile(r"0[xX](?:[0-9a-fA-F]{2})+")


class JsonRpcSigner(Signer):
    """Asks for one signature at a time, or for many at once: each is a request of its own."""

    def __init__(self, section: sections.JsonRpcSigner) -> None:
        super().__init__()
        self._section = section
        self._client: HttpClient | None = None
        self._method = "eth_signTransaction"

    async def _connect(self) -> str:
        self._client = HttpClient(self._section.url, timeout_s=self._section.timeout_s)
        wanted = self._section.address
        accounts = await self._accounts()
        if accounts is not None and wanted not in accounts:
            raise SignerError(
                f"{self._who} has no key of {wanted}: load it there, or set `address` to one that it has "
                f"({', '.join(accounts[:3]) or 'it has none'})"
            )
        return wanted

    async def _accounts(self) -> list[str] | None:
        """The addresses that it has keys of; None where it does not tell, and the first signature will."""
        try:
            told = await self._ask("eth_accounts")
        except Refused as refused:
            if refused.code != _NO_SUCH_METHOD:
                return None
            # Clef: it has the same methods by other names.
            self._method = "account_signTransaction"
            try:
                told = await self._ask("account_list")
            except Refused as denied:
                if denied.code != _NO_SUCH_METHOD:
                    return None
                told = ()
        if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
            raise SignerError(f"{self._who} is no signer that we know: set `url` to Clef or Web3Signer")
        return [each.lower() for each in told]

    async def _answer(self, transaction: Transaction, _digest: bytes) -> bytes:
        try:
            told = await self._ask(self._method, _request(transaction, self.address))
        except Refused as refused:
            reason = refused.reason
        else:
            raw = signed_bytes(told)
            if raw is not None:
                return raw
            reason = "it answered with something else than a signed transaction"
        raise SignerError(
            f"{self._who} did not sign: {reason}. Look at its log, and whether its rules allow this call "
            "(docs/signers.md)"
        )

    async def _ask(self, method: str, *params: Any) -> Any:
        """As the client's `call`, but only `Refused` is left of its errors."""
        client = self._client
        if client is None:
            raise SignerError("the signer is not open")
        try:
            return await client.call(method, *params)
        except Refused:
            raise
        except Unanswered as error:
            raise SignerError(
                f"{self._who}: {error.reason}. Look whether it waits for somebody to approve, or raise `timeout_s`"
            ) from error
        except RpcError as error:
            raise SignerError(
                f"{self._who} cannot be reached ({error.reason}): start it, or correct `url`"
            ) from error

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @property
    def _who(self) -> str:
        return f"the signer at {self._section.url}"


def signed_bytes(told: Any) -> bytes | None:
    """What an answer has: Clef and geth answer with an object, Web3Signer with the bytes alone."""
    raw = told.get("raw") if isinstance(told, dict) else told
    return bytes.fromhex(raw[2:]) if isinstance(raw, str) and _BYTES.fullmatch(raw) else None


def _request(transaction: Transaction, address: str) -> dict[str, str]:
    """The transaction as both read it; with a legacy one's gas price instead of the two fees."""
    fees = (
        {"gasPrice": hex(transaction.max_fee)}
        if transaction.kind == "legacy"
        else {"maxFeePerGas": hex(transaction.max_fee), "maxPriorityFeePerGas": hex(transaction.tip)}
    )
    return {
        "from": checksummed(address),
        # Clef takes an address without its checksum for a warning, and refuses.
        "to": checksummed(transaction.to),
        "gas": hex(transaction.gas),
        **fees,
        "value": hex(transaction.value),
        "nonce": hex(transaction.nonce),
        "data": "0x" + transaction.data.hex(),
        "chainId": hex(transaction.chain_id),
    }
