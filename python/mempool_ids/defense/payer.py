"""A bid that is a transfer: where builders rank by what they are sent, not by fees alone.

The guardian does not pay it: a second transaction of its own would take the nonce of the next pause. Another key does,
with the ether that may be bid and no role anywhere. The transfer is in bundles alone, behind the pause: where a bundle
does not land, nothing is paid. Of two responses at the same time one can have it: both have the payer's next nonce.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mempool_ids.defense.armed import PAYMENT, Call, Fees, Kind, Rung
from mempool_ids.defense.chain import Chain
from mempool_ids.defense.draft import TRANSFER_GAS, Draft
from mempool_ids.defense.signers.base import Signer


class Payer:
    """Signs transfers to builders.

    Args:
        journaled: returns once the bytes are on the disk.
        min_tip: of the transfer itself, wei a gas.
        max_fee: wei a gas, at the most.
    """

    def __init__(
        self,
        signer: Signer,
        chain: Chain,
        chain_id: int,
        kind: Kind,
        min_tip: int,
        max_fee: int,
        journaled: Callable[[list[Rung]], Awaitable[None]],
    ) -> None:
        self.signer = signer
        self._chain = chain
        self._chain_id = chain_id
        self._kind: Kind = kind
        self._min_tip = min_tip
        self._max_fee = max_fee
        self._journaled = journaled

    async def fees(self) -> Fees | None:
        """Of a transfer now; None where the base fee is above the cap.

        Raises:
            NodeError: nobody answers.
        """
        head = await self._chain.head()
        max_fee = min(head.next_base_fee * 2 + self._min_tip, self._max_fee)
        if max_fee < head.next_base_fee + self._min_tip:
            return None
        return Fees(max_fee, max_fee if self._kind == "legacy" else self._min_tip)

    async def transfer(self, to: str, value: int, fees: Fees, target: str) -> bytes | None:
        """The signed transfer of so many wei, at the payer's next nonce; None where its balance does not do.

        Args:
            target: the contract whose response it goes with, by which a restart knows what that may cost.

        Raises:
            SignerError, JournalError, NodeError: it is not signed, not journaled, or nobody says what its nonce is.
        """
        address = self.signer.address
        if await self._chain.balance(address) < value + TRANSFER_GAS * fees.max_fee:
            return None
        nonce, _ = await self._chain.nonces(address)
        call = Call(to, b"", value)
        draft = Draft(self._chain_id, self._kind, address, nonce, call, TRANSFER_GAS, fees, target, PAYMENT)
        rung = draft.signed(await self.signer.sign(draft.transaction()))
        await self._journaled([rung])
        return rung.raw
