"""Classes of contracts, by their code: what alarms on one is seldom what alarms on another."""

import re

from benches.quality.recorded import Block

CLASSES = ("v2 pair", "v3 pool", "stablecoin", "token", "WETH", "service", "wallet", "other")

WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
STABLECOINS = {
    "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48": "USDC",
    "0xdac17f958d2ee523a2206206994597c13d831ec7": "USDT",
    "0x6b175474e89094c44da98b954eedeac495271d0f": "DAI",
    "0x4fabb145d64652a948d72533023f6e7a623c7c53": "BUSD",
    "0x0000000000085d4780b73119b644ae5ecd22b376": "TUSD",
    "0x8e870d67f660d95d5be530380d0ec0bd388289e1": "USDP",
    "0x853d955acef822db058eb8505911ed77f175b99e": "FRAX",
}

V2_PAIR = ("0902f1ac", "0dfe1681", "022c0d9f")
"""`getReserves`, `token0`, `swap`."""
V3_POOL = ("3850c7bd", "0dfe1681", "128acb08")
"""`slot0`, `token0`, `swap`."""
TOKEN = ("a9059cbb", "70a08231", "18160ddd")
"""`transfer`, `balanceOf`, `totalSupply`."""
NFT = ("6352211e", "23b872dd")
"""`ownerOf`, `transferFrom`."""
MULTI_TOKEN = ("2eb2c2d6", "4e1273f4")
"""`safeBatchTransferFrom`, `balanceOfBatch`."""
WALLETS = ("6a761202", "b61d27f6", "1626ba7e")
"""`execTransaction` of Safes, `execute(address,uint256,bytes)` of accounts, `isValidSignature` of who has no key."""
FEW = 2
"""Senders of a contract that is somebody's own."""

DISPATCH = "63{}(?:14|18|03|81(?:14|18|03)|60005114)"
"""A selector that is compared with the calldata's, by Solidity or by Vyper; what a contract calls is not."""
DISPATCHER = 2_000
"""Bytes at the start of a code that choose its function; a factory has the code of others further on."""
CLONE = re.compile("363d3d373d3d3d363d73([0-9a-f]{40})5af4")
"""EIP-1167."""
SAFE = re.compile("^0x608060405273f{40}6000541")
"""A Safe's proxy, which has its implementation in its first slot."""
IMPLEMENTATIONS = (
    0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC,  # EIP-1967
    0x7050C9E0F4CA769C69BD3A8EF740BC37934F8E2C036E5A723FD8EE048ED3F8C3,  # OpenZeppelin's before it
    0xC5F16F0FCC639FA48A6947836D9850F504798523BF8C9A3A87D5876CF622BCF7,  # EIP-1822
)


def implementation(block: Block, address: str) -> str | None:
    """Whose code the contract runs as its own, if the record tells."""
    account = block.state[address]
    code = account.code or "0x"
    if clone := CLONE.search(code):
        return f"0x{clone.group(1)}"
    slots = (0,) if SAFE.match(code) else IMPLEMENTATIONS
    found = next((account.storage[slot] for slot in slots if account.storage.get(slot)), None)
    return None if found is None else f"0x{found & (1 << 160) - 1:040x}"


def implementations(block: Block) -> set[str]:
    """Contracts whose code runs as another's: they are not what one monitors."""
    return {one for address in block.contracts() if (one := implementation(block, address))}


def class_of(block: Block, address: str, senders: int, *, is_popular: bool) -> str:
    """The contract's class; the first that fits, by its own functions or those of its implementation.

    | class | rule |
    |---|---|
    | WETH, stablecoin | by address |
    | v2 pair, v3 pool, token | has all of `V2_PAIR`, `V3_POOL`, `TOKEN` (and not of `NFT`) |
    | service | has all of `NFT` or `MULTI_TOKEN`, or is popular: routers, settlement, NFTs, lending, bridges |
    | wallet | has one of `WALLETS`, or at most `FEW` senders call it: sweepers, searchers' contracts |
    | other | the rest |

    Args:
        senders: how many accounts call it in this block.
        is_popular: many call it, in several blocks.
    """
    if address == WETH:
        return "WETH"
    if address in STABLECOINS:
        return "stablecoin"
    behind = implementation(block, address)
    accounts = [block.state.get(one) for one in (address, behind) if one]
    codes = [account.code for account in accounts if account and account.code]

    def has(selector: str) -> bool:
        return any(re.search(DISPATCH.format(selector), code[: 2 * DISPATCHER]) for code in codes)

    by_id = all(map(has, NFT)) or all(map(has, MULTI_TOKEN))
    if all(map(has, V2_PAIR)):
        return "v2 pair"
    if all(map(has, V3_POOL)):
        return "v3 pool"
    if all(map(has, TOKEN)) and not by_id:
        return "token"
    if by_id or is_popular:
        return "service"
    is_own = any(map(has, WALLETS)) or senders <= FEW
    return "wallet" if is_own else "other"
