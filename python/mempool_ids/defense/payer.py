"""A bid that is a transfer: where builders rank by what they are sent, not by fees alone.

The guardian does not pay it: a second transaction of its own would take the nonce of the next pause. Another key does,
with the ether that may be bid and no role anywhere. The transfer is in bundles alone, behind the pause: where a bundle
does not land, nothing is paid. Within a day it promises no more than its budget, as far as this process knows; its
balance is the last cap.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from mempool_ids.defense.armed import Call, Fees, Kind, Rung
from mempool_ids.defense.chain import Chain
from mempool_ids.defense.rails import DAY
from mempool_ids.defense.signers.base import Signer
from mempool_ids.defense.transaction import Transaction

_GAS = 21_000


class Payer:
    """Signs transfers to builders.

    Args:
        journaled: returns once the bytes are on the disk.
        min_tip: of the transfer itself, wei a gas.
        daily_budget: wei, in any 24 hours.
    """

    def __init__(
        self,
        signer: Signer,
        chain: Chain,
        chain_id: int,
        kind: Kind,
        min_tip: int,
        daily_budget: int,
        journaled: Callable[[list[Rung]], Awaitable[None]],
    ) -> None:
        self.signer = signer
        self._chain = chain
        self._chain_id = chain_id
        self._kind: Kind = kind
        self._min_tip = min_tip
        self._daily_budget = daily_budget
        # By nonce: when it was last signed, and the most that it pays. Of one nonce one transfer can land.
        self._promised: dict[int, tuple[float, int]] = {}
        self._journaled = journaled

    async def transfer(self, to: str, value: int) -> bytes | None:
        """The signed transfer of so many wei, at the payer's next nonce; None where its balance or budget does not do.

        Raises:
            SignerError, JournalError, NodeError: it is not signed, not journaled, or nobody says what its nonce is.
        """
        head = await self._chain.head()
        tip = self._min_tip
        max_fee = head.next_base_fee * 2 + tip
        fees = Fees(max_fee, max_fee if self._kind == "legacy" else tip)
        if value <= 0 or await self._chain.balance(self.signer.address) < value + _GAS * max_fee:
            return None
        nonce, _ = await self._chain.nonces(self.signer.address)
        if not self._promise(nonce, value):
            return None
        signed = await self.signer.sign(
            Transaction(self._chain_id, nonce, to, value, b"", _GAS, fees.max_fee, fees.tip, self._kind)
        )
        call = Call(to, b"", value)
        rung = Rung(
            self._chain_id,
            self.signer.address,
            nonce,
            "",
            0,
            fees,
            _GAS,
            call,
            signed.raw,
            signed.tx_hash,
        )
        await self._journaled([rung])
        return signed.raw

    def _promise(self, nonce: int, value: int) -> bool:
        now = time.time()
        others = {
            one: (at, most) for one, (at, most) in self._promised.items() if one != nonce and at > now - DAY
        }
        own = max(value, self._promised.get(nonce, (now, 0))[1])
        if sum(most for _, most in others.values()) + own > self._daily_budget:
            return False
        self._promised = {**others, nonce: (now, own)}
        return True
