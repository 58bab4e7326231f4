"""The market of BNB Smart Chain that tokens there are traded on, against dollars."""

from benches.quality.plan import ETHER, Plan, call

USDT = "0x55d398326f99059ff775485246999027b3197955"
ROUTER = "0x10ed43c718714eb63d5aa57b78b54704e256024e"
_LATER = 2**40
_SWAP = "swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)"


def swap(amount: int, path: list[str], to: str) -> bytes:
    """Calldata for the router: so many whole tokens of the first for what the last is worth."""
    return call(_SWAP, amount * ETHER, 0, path, to, _LATER)


def holds(plan: Plan, token: str, owner: str, amount: int, slot: int) -> None:
    """So many whole tokens, which the router may take; `slot` is where balances lie, allowances right behind."""
    plan.give(token, owner, amount * ETHER, slot=slot)
    plan.allow(token, owner, ROUTER, slot=slot + 1)
