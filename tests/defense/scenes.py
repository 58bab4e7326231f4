"""Three stages on which a defense races a real attack: a victim that a guardian can pause, its users, and an attacker.

scene = await STAGES["reentrancy"](rpc)      # deployed, used, and mined
scene.entry()                                # under `contracts` of a sensor's configuration
sent = await scene.attack(tip=2 * GWEI)      # pending now, signed by the attacker's own key
sent = await scene.escalate(tip=4 * GWEI)    # the same nonce at a higher price
await scene.harm()                           # what was taken, in the victim's smallest units: 0 is nothing

Runs on anvil and on geth. All keys but the node's own account, which pays the others, are made here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError
from tests.scenarios.prices import fill
from tests.scenarios.stage import (
    ETHER,
    GWEI,
    Actor,
    Contract,
    Monitored,
    Stage,
    Transaction,
    Wealth,
    path_of,
)

_USERS = 3
#: Beside the tip, for base fees to come.
_BASE_FEE = 100 * GWEI
#: What a pool asks of a replacement, in percent of both fees.
_REPLACES = 110
_HONEST_TIP = GWEI
_PLENTY = 10**9 * ETHER


@dataclass(frozen=True)
class Sent:
    """What somebody sent: signed bytes, and their price in wei a gas."""

    raw: bytes
    tx_hash: str
    nonce: int
    max_fee: int
    tip: int


@dataclass
class Scene:
    """One victim and all around it."""

    kind: str
    stage: Stage
    victim: Monitored
    guardian: Actor
    attacker: Actor
    #: What the attacker sends.
    act: Transaction
    #: What users send all day; each a transaction that succeeds unless the victim is paused.
    habits: list[Transaction]
    #: What the attack has taken so far, in smallest units of the victim's asset.
    harm: Wealth
    sent: list[Sent] = field(default_factory=list)

    @property
    def contract(self) -> Contract:
        return self.victim.contract

    @property
    def pause(self) -> dict[str, Any]:
        """The `pause` of the victim's entry."""
        return {"call": "pause()", "check": "paused()"}

    def entry(self, name: str = "") -> dict[str, Any]:
        """Of the victim under `contracts`; its name is that of the kind unless given."""
        return {
            "name": name or self.kind,
            "address": self.contract.address,
            "abi": str(path_of(self.contract.name)),
            "assets": list(self.victim.assets),
            "admins": list(self.victim.admins),
            "views": dict(self.victim.views),
            "pause": self.pause,
        }

    async def attack(self, tip: int, *, send: bool = True) -> Sent:
        """Signs the attack at this tip (wei a gas), and sends it unless told not to."""
        assert not self.sent, "the attack was sent before: escalate"
        nonce = self.attacker.nonce
        self.attacker.nonce += 1
        return await self._bid(nonce, _BASE_FEE + tip, tip, send)

    async def escalate(self, tip: int) -> Sent:
        """Sends the attack again, with the same nonce, at a price that replaces the last."""
        last = self.sent[-1]
        assert tip * 100 >= last.tip * _REPLACES, "no pool takes so little more"
        max_fee = max(_BASE_FEE + tip, -(-last.max_fee * _REPLACES // 100))
        return await self._bid(last.nonce, max_fee, tip, send=True)

    async def _bid(self, nonce: int, max_fee: int, tip: int, send: bool) -> Sent:
        raw = self._signed(self.act, nonce, max_fee, tip)
        sent = Sent(raw.raw_transaction, "0x" + raw.hash.hex(), nonce, max_fee, tip)
        if send:
            await self._send(sent.raw)
            self.sent.append(sent)
        return sent

    def signed_pause(self, tip: int) -> Sent:
        """The guardian's pause as anybody would send it by hand; the guardian's next nonce is used up."""
        transaction = Transaction(
            self.guardian, self.contract.address, self.contract.data("pause()"), gas=200_000
        )
        nonce, max_fee = self.guardian.nonce, _BASE_FEE + tip
        self.guardian.nonce += 1
        signed = self._signed(transaction, nonce, max_fee, tip)
        return Sent(signed.raw_transaction, "0x" + signed.hash.hex(), nonce, max_fee, tip)

    async def send(self, sent: Sent) -> str:
        return await self._send(sent.raw)

    async def fill(self, nonce: int) -> str:
        """The attacker sends something else with this nonce."""
        nothing = Transaction(self.attacker, self.attacker.address, b"", gas=21_000)
        return await self._send(self._signed(nothing, nonce, _BASE_FEE, _HONEST_TIP).raw_transaction)

    async def honest(self) -> list[str]:
        """Every user does what it does all day; hashes of what is pending now."""
        hashes = []
        for habit in self.habits:
            signed = self._signed(habit, habit.sender.nonce, _BASE_FEE, _HONEST_TIP)
            habit.sender.nonce += 1
            hashes.append(await self._send(signed.raw_transaction))
        return hashes

    async def harmed(self) -> bool:
        return await self.harm() > 0

    async def is_paused(self) -> bool:
        try:
            return await self.contract.number(self.stage.rpc, "paused()") != 0
        except RpcError:  # other code than before
            return False

    def _signed(self, transaction: Transaction, nonce: int, max_fee: int, tip: int) -> Any:
        return transaction.sender.key.sign_transaction(
            {
                "chainId": self.stage.chain_id,
                "nonce": nonce,
                "to": bytes.fromhex(transaction.to[2:]),
                "data": transaction.data,
                "value": transaction.value,
                "gas": transaction.gas,
                "maxFeePerGas": max_fee,
                "maxPriorityFeePerGas": tip,
            }
        )

    async def _send(self, raw: bytes) -> str:
        tx_hash: str = await self.stage.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        return tx_hash


@dataclass(frozen=True)
class _Cast:
    stage: Stage
    guardian: Actor
    attacker: Actor
    users: list[Actor]

    @classmethod
    async def on(cls, rpc: Rpc, guardian: Actor | None) -> _Cast:
        """Everybody has ether. A guardian that is given has its own."""
        if (await rpc.call("web3_clientVersion")).startswith("anvil"):
            # Its accounts have enough for sixteen scenes, geth's for any number.
            await rpc.call("anvil_setBalance", (await rpc.accounts())[0], hex(_PLENTY))
        stage = await Stage.on(rpc, people=_USERS + 1 + (guardian is None))
        attacker, *others = stage.people
        return cls(stage, guardian or others.pop(), attacker, others)

    async def hold(self, token: Contract, spender: Contract, amount: int) -> None:
        """Every user has so much of a token, and lets the spender take it."""
        for user in self.users:
            await self.stage.give(token, user, amount)
        await self.stage.settle()
        for user in self.users:
            await self.stage.allow(user, token, spender, amount)


async def reentrancy(rpc: Rpc, guardian: Actor | None = None) -> Scene:
    """A vault for ether that pays before it books is emptied by coming back in the middle of the payment."""
    cast = await _Cast.on(rpc, guardian)
    stage, users = cast.stage, cast.users
    vault = await stage.deploy("Vault", cast.guardian.address)
    robber = await stage.deploy("Attacker", vault.address, by=cast.attacker)
    await stage.settle()
    for user in users:
        await stage.send(user, vault, "deposit()", value=10 * ETHER)
    await stage.settle()

    async def missing() -> int:
        claims = [await vault.number(rpc, "balanceOf(address)", user.address) for user in users]
        return max(0, sum(claims) - await rpc.balance(vault.address))

    amount = ETHER // 100
    return Scene(
        "reentrancy",
        stage,
        Monitored(vault, ("native",), admins=(stage.deployer.address,)),
        cast.guardian,
        cast.attacker,
        Transaction(cast.attacker, robber.address, robber.data("attack()"), value=ETHER),
        [
            Transaction(users[0], vault.address, vault.data("deposit()"), value=amount, gas=100_000),
            Transaction(users[1], vault.address, vault.data("withdraw(uint256)", amount), gas=100_000),
        ],
        missing,
    )


async def prices(rpc: Rpc, guardian: Actor | None = None) -> Scene:
    """A fund believes a pair's price of the moment: shares are bought with collateral that a flash loan made dear."""
    cast = await _Cast.on(rpc, guardian)
    stage, users = cast.stage, cast.users
    collateral, currency = await stage.token(10**9 * ETHER), await stage.token(10**9 * ETHER)
    pair = await stage.deploy("Pair", collateral.address, currency.address)
    lender = await stage.deploy("FlashLender")
    fund = await stage.deploy("PausableFund", pair.address, cast.guardian.address)
    robber = await stage.deploy("FundManipulator", lender.address, fund.address, by=cast.attacker)
    await fill(stage, pair, collateral, currency, 1_000 * ETHER, 1_000_000 * ETHER)
    await stage.give(currency, lender, 5_000_000 * ETHER)
    await cast.hold(currency, fund, 200_000 * ETHER)
    buy = "deposit(address,uint256)"
    for user in users:
        await stage.send(user, fund, buy, currency.address, 150_000 * ETHER)
    await stage.settle()
    return Scene(
        "price manipulation",
        stage,
        Monitored(
            fund,
            (currency.address, collateral.address),
            admins=(stage.deployer.address,),
            views={
                "share_price": "sharePrice()",
                "total_assets": "totalAssets()",
                "total_supply": "totalSupply()",
            },
        ),
        cast.guardian,
        cast.attacker,
        Transaction(cast.attacker, robber.address, robber.data("attack(uint256)", 3_000_000 * ETHER)),
        [
            Transaction(users[0], fund.address, fund.data(buy, currency.address, ETHER), gas=200_000),
            Transaction(users[1], fund.address, fund.data("redeem(uint256)", ETHER), gas=200_000),
        ],
        # It begins with none, and the pair is at a fair price: what it has came from the fund.
        lambda: currency.number(rpc, "balanceOf(address)", cast.attacker.address),
    )


async def takeover(rpc: Rpc, guardian: Actor | None = None) -> Scene:
    """Anybody may initialize a vault behind a proxy anew: its owner then gives it code that sends everything away."""
    cast = await _Cast.on(rpc, guardian)
    stage, users, owner = cast.stage, cast.users, cast.stage.deployer
    token = await stage.token(10**9 * ETHER)
    logic = await stage.deploy("PausableUpgradeableVault")
    proxy = await stage.deploy("Proxy", logic.address)
    vault = Contract(logic.name, proxy.address)
    robber = await stage.deploy("Takeover", vault.address, by=cast.attacker)
    await stage.send(owner, vault, "initialize(address,address)", token.address, owner.address)
    await stage.send(owner, vault, "setGuardian(address)", cast.guardian.address)
    await cast.hold(token, vault, 20_000 * ETHER)
    for user in users:
        await stage.send(user, vault, "deposit(uint256)", 10_000 * ETHER)
    await stage.settle()
    return Scene(
        "takeover",
        stage,
        Monitored(vault, (token.address,), admins=(owner.address,)),
        cast.guardian,
        cast.attacker,
        Transaction(cast.attacker, robber.address, robber.data("attack()")),
        [
            Transaction(users[0], vault.address, vault.data("deposit(uint256)", ETHER), gas=200_000),
            Transaction(users[1], vault.address, vault.data("withdraw(uint256)", ETHER), gas=200_000),
        ],
        lambda: token.number(rpc, "balanceOf(address)", cast.attacker.address),
    )


Deploy = Callable[..., Awaitable[Scene]]
"""Takes the node's client and, where several scenes have one guardian, that guardian."""

STAGES: Mapping[str, Deploy] = {
    "reentrancy": reentrancy,
    "price manipulation": prices,
    "takeover": takeover,
}
