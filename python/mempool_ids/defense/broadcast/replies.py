"""What the answer to a transaction or a bundle means, whoever gave it: node or builder.

A yes is no inclusion, and not always a place in the pool: geth, unless it runs with --txpool.nolocals, says yes to a
transaction that its pool refuses for now (pool full, in-flight limit or gapped nonce of a delegated account), and tries
it again later (go-ethereum v1.17: eth/api_backend.go, core/txpool/locals/errors.go).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

import orjson

from mempool_ids.node import RpcError, Unreached

# Of what an endpoint says, as much as is told to people.
_SHOWN = 200
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


class Reply(enum.StrEnum):
    """Kinds of answers."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already known"
    NONCE_TOO_LOW = "nonce too low"
    NONCE_TOO_HIGH = "nonce too high"
    REPLACEMENT_UNDERPRICED = "replacement underpriced"
    """Another transaction waits at its nonce, and it does not pay enough more."""
    UNDERPRICED = "underpriced"
    """Below what the pool takes at all, or takes now."""
    NO_FUNDS = "no funds"
    IN_FLIGHT_LIMIT = "in-flight limit"
    """The sender is delegated (EIP-7702) and has a transaction in the pool."""
    GAPPED_DELEGATED = "gapped nonce of a delegated account"
    """The sender is delegated (EIP-7702), and its nonce is not the next one."""
    FEE_TOO_LOW = "fee too low"
    """The fee cap is below the base fee."""
    GAS_LIMIT = "gas limit"
    """Too little to begin with, or more than a block or a transaction may have."""
    WRONG_CHAIN = "wrong chain"
    POOL_FULL = "pool full"
    REFUSED = "refused"
    """For another reason, which the message has."""
    NO_ANSWER = "no answer"
    """Nothing is known: it may be in the pool, or not."""
    UNREACHED = "not reached"
    """There was no connection: it is not in the pool by this."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one endpoint said."""

    kind: Reply
    message: str = ""
    """In the endpoint's words, at most 200 characters; empty where it was accepted."""
    tx_hash: str | None = None
    """As the endpoint said; of a bundle, the bundle's hash."""

    @property
    def is_held(self) -> bool:
        """Whether the endpoint says that it has it, now or since before."""
        return self.kind in (Reply.ACCEPTED, Reply.ALREADY_KNOWN)


# In lower case, the first that fits decides. Who says so: g geth, r reth, n Nethermind (words since 2026, and names
# before), b Besu, e Erigon, a anvil. reth mirrors geth's words.
_WORDS: tuple[tuple[Reply, str], ...] = (
    # g r; n NotCurrentNonceForDelegation
    (
        Reply.GAPPED_DELEGATED,
        r"gapped.{0,20}delegat|delegat.{0,40}(gap|next nonce)|notcurrentnoncefordelegation",
    ),
    # g r; n DelegatorHasPendingTx
    (Reply.IN_FLIGHT_LIMIT, r"in-?flight transaction limit|delegat.{0,40}pending|delegatorhaspendingtx"),
    # g r n; b "Known transaction"; e "existing txn with same hash"; a "already Imported"; n AlreadyKnown
    (
        Reply.ALREADY_KNOWN,
        r"already known|\bknown transaction\b|already imported|alreadyknown|with same hash",
    ),
    # g r n b; e "could not replace existing tx"; a "insufficient gas price to replace"; n ReplacementNotAllowed
    (
        Reply.REPLACEMENT_UNDERPRICED,
        r"replacement (transaction )?underpriced|could not replace existing|price to replace|replacementnotallowed",
    ),
    # g r a; b "Gas price below current base fee"
    (
        Reply.FEE_TOO_LOW,
        r"less than (the )?block base fee|below (the )?(current )?base ?fee|feecap.{0,10}base ?fee",
    ),
    # g r n e; g "gas price below minimum"; b "below configured minimum gas price"; r "below minimum required
    # priority fee"; e "fee too low"; n FeeTooLow, FeeTooLowToCompete
    (Reply.UNDERPRICED, r"underpriced|price below minimum|below (the )?(configured )?minimum|fee ?too ?low"),
    # all; n OldNonce
    (Reply.NONCE_TOO_LOW, r"nonce (is )?too low|oldnonce|old nonce"),
    # all; b "nonce is too distant"; n NonceGap, NonceTooFarInFuture
    (Reply.NONCE_TOO_HIGH, r"nonce (is )?too (high|distant|far)|nonce ?gap|noncetoofar|nonce.{0,20}future"),
    # all; b "Upfront cost exceeds account balance"; n InsufficientFunds
    (Reply.NO_FUNDS, r"insufficient ?(funds|balance)|exceeds (account )?balance"),
    # g "invalid sender: invalid chain id for signer"; a; b "Wrong chainId"
    (
        Reply.WRONG_CHAIN,
        r"(wrong|invalid|incorrect|unsupported) chain ?-?id|chain ?id (mismatch|not supported)|another chain",
    ),
    # g r "exceeds block gas limit", "intrinsic gas too low", "gas limit too high"; r "max transaction gas limit";
    # e "IntrinsicGas"; n GasLimitExceeded, "gas limit reached"; a "intrinsic gas too high"
    (Reply.GAS_LIMIT, r"gas ?limit|intrinsic ?gas|floor data gas|gas too low"),
    # g r "txpool is full"; e "pending sub-pool is full"; g "account limit exceeded"
    (Reply.POOL_FULL, r"pool is full|pool overflow|account limit exceeded|^spammer"),
)
_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _WORDS)


def read(reply: bytes | RpcError) -> Answer:
    """What the reply to eth_sendRawTransaction, or to a request to a builder, means."""
    if isinstance(reply, RpcError):
        kind = Reply.UNREACHED if isinstance(reply, Unreached) else Reply.NO_ANSWER
        return Answer(kind, reply.reason[:_SHOWN])
    try:
        said = orjson.loads(reply)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        return Answer(Reply.NO_ANSWER, "answers with something else than JSON-RPC")
    # BlockRazor has errors in `jsonerror`.
    error = said.get("error") or said.get("jsonerror")
    if error:
        return _refused(error)
    if "result" not in said:
        return Answer(Reply.NO_ANSWER, "answers with something else than JSON-RPC")
    result = said["result"]
    if result is False:
        return Answer(Reply.REFUSED, "answers false")
    if isinstance(result, dict):  # builders: {"bundleHash": …}
        result = result.get("bundleHash")
    return Answer(Reply.ACCEPTED, tx_hash=result.lower() if _is_hash(result) else None)


def _refused(error: object) -> Answer:
    if isinstance(error, dict):
        words = str(error.get("message", error))
        data = error.get("data")
        told = f"{words} {data}" if isinstance(data, str) else words
    else:
        words = told = str(error)
    low = told.lower()
    kind = next((kind for kind, pattern in _PATTERNS if pattern.search(low)), Reply.REFUSED)
    known = _HASH.search(told) if kind is Reply.ALREADY_KNOWN else None
    return Answer(kind, words[:_SHOWN], known[0].lower() if known else None)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None
