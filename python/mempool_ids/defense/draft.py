"""A transaction that is about to be signed, and what it is journaled as then."""

from __future__ import annotations

from dataclasses import dataclass

from mempool_ids.defense.armed import Call, Fees, Kind, Rung
from mempool_ids.defense.transaction import Signed, Transaction

TRANSFER_GAS = 21_000
"""Gas of a transfer to an account without code."""
UNSIGNED = Signed(b"", "")
"""In place of a signature where nothing is sent (shadow mode)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What one account is to sign. Without a target it is a transfer to itself."""

    chain_id: int
    kind: Kind
    address: str
    """Of who signs."""
    nonce: int
    call: Call
    gas_limit: int
    fees: Fees
    target: str = ""
    """The contract's name."""
    rung: int = 0
    """Its place in a ladder, or what it is instead."""

    def transaction(self) -> Transaction:
        """What the signer is asked for.

        Raises:
            ValueError: a field is not what a transaction can have.
        """
        return Transaction(
            chain_id=self.chain_id,
            nonce=self.nonce,
            to=self.call.to,
            value=self.call.value,
            data=self.call.data,
            gas=self.gas_limit,
            max_fee=self.fees.max_fee,
            tip=self.fees.tip,
            kind=self.kind,
        )

    def signed(self, signed: Signed) -> Rung:
        """To be journaled, before it may go out."""
        return Rung(
            chain_id=self.chain_id,
            guardian=self.address,
            nonce=self.nonce,
            target=self.target,
            rung=self.rung,
            fees=self.fees,
            gas_limit=self.gas_limit,
            call=self.call,
            raw=signed.raw,
            tx_hash=signed.tx_hash,
        )
