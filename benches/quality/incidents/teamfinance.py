"""Team Finance, October 2022: liquidity was migrated by the lock of something else, at a price its owner chose."""

from benches.quality.plan import ETHER, Incident, Plan, call, gains

LOCK = "0xe2fe530c047f2d85298b07d9333c05737f1435fb"
CAW_PAIR = "0x7a809081f991ecfe0ab2727c7e90d2ad7c2e411e"
CAW = "0xf3b9569f82b18aef890de263b84189bd33ebe452"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
_LP_TOKENS = {
    "USDC/CAW": CAW_PAIR,
    "USDC/TSUKA": "0x67cea36eeb36ace126a3ca6e21405258130cf33c",
    "FEG/WETH": "0x854373387e41371ac6e307a1f29603c6fa10d872",
    "KNDX/WETH": "0x9267c29e4f517ce9f6d603a15b50aa47ce32278d",
}
_LOCK_TOKEN = "lockToken(address,address,uint256,uint256,bool)"
_NEXT_ID = 202


def build(plan: Plan) -> None:
    state = plan.state
    attacker = plan.actor("attacker")
    migrator = plan.deploy(attacker, "LockMigrator")
    locked_at = state.at(LOCK, _NEXT_ID)
    plan.before(attacker, migrator, call("lock(address,address)", LOCK, CAW_PAIR), value=ETHER // 2)
    plan.attack(
        plan.transaction(
            attacker,
            migrator,
            call("rob(address,address,address,address)", LOCK, CAW_PAIR, USDC, CAW),
            gas=12_000_000,
        ),
        changes=[gains(USDC, attacker, 5_000_000 * 10**6)],
    )

    token = plan.install("PlainToken")
    later = state.timestamp + 90 * 86_400

    def holds(owner: str, amount: int) -> None:
        plan.give(token, owner, amount * ETHER, slot=0)
        plan.allow(token, owner, LOCK, slot=1)

    locker, leaver = plan.actor("locker"), plan.actor("leaver")
    holds(locker.address, 5_000)
    plan.honest(
        "5,000 tokens are locked",
        plan.transaction(
            locker,
            LOCK,
            call(_LOCK_TOKEN, token, locker.address, 5_000 * ETHER, later, False),
            value=ETHER // 5,
        ),
        changes=[gains(token, LOCK, 5_000 * ETHER)],
    )
    holds(leaver.address, 800)
    plan.before(
        leaver,
        LOCK,
        call(_LOCK_TOKEN, token, leaver.address, 800 * ETHER, state.timestamp + 1, False),
        value=ETHER // 5,
    )
    plan.honest(
        "800 tokens are withdrawn when their time has come",
        plan.transaction(leaver, LOCK, call("withdrawTokens(uint256,uint256)", locked_at + 2, 800 * ETHER)),
        changes=[gains(token, leaver, 800 * ETHER)],
    )
    wallet, holder = plan.install("Wallet"), plan.actor("wallet's holder")
    plan.give(CAW_PAIR, wallet, 10**18, slot=1)
    plan.honest(
        "a wallet locks its liquidity",
        plan.through(
            wallet,
            holder,
            (CAW_PAIR, 0, call("approve(address,uint256)", LOCK, 10**18)),
            (LOCK, ETHER // 5, call(_LOCK_TOKEN, CAW_PAIR, wallet, 10**18, later, False)),
            value=ETHER // 5,
        ),
        changes=[gains(CAW_PAIR, LOCK, 10**18)],
        by="contract",
    )


TEAM_FINANCE = Incident("TeamFinance", {"Lock": LOCK} | _LP_TOKENS, build)
