"""The demo's world: a vault that has been in use for a while, its honest users, and what they do all day."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from mempool_ids.demo.contracts import Deployed, deploy
from mempool_ids.demo.rpc import Rpc

ETHER = 10**18
GWEI = 10**9
#: The protocol's age when the story begins: a day and a bit of Ethereum's blocks.
HISTORY_BLOCKS = 7_300
HISTORY_SECONDS_PER_BLOCK = 12
_ROUNDS_OF_HISTORY = 8
#: Mined in one request, which then stays far below its timeout.
_BLOCKS_AT_ONCE = 500
_USERS = 10
_TOKEN_SUPPLY = 10**9 * ETHER
#: Of every honest transaction, wei a gas.
_FEE_CAP = 10 * GWEI
#: What a guardian begins with, in wei: some pauses at the highest bid.
_GUARDIAN_FUNDS = ETHER


@dataclass
class User:
    """An honest user and what it may still take out, so that nothing it sends reverts."""

    name: str
    address: str
    in_vault: int = 0
    in_router: int = 0


@dataclass(frozen=True)
class Action:
    """One transaction an honest user sent."""

    user: str
    text: str
    tx_hash: str


@dataclass(frozen=True)
class Cast:
    """Who is who: the node's unlocked accounts, and the guardian where it has a key of its own."""

    deployer: str
    guardian: str
    attacker: str
    newcomer: User
    users: list[User]

    @classmethod
    def of(cls, accounts: list[str], guardian: str | None = None) -> Cast:
        deployer, unlocked, attacker, newcomer, *others = accounts
        guardian = guardian or unlocked
        users = [User(f"user {number}", address) for number, address in enumerate(others[:_USERS], start=1)]
        return cls(deployer, guardian, attacker, User("newcomer", newcomer), users)


@dataclass
class Scene:
    """The contracts on the chain and the users who send to them."""

    rpc: Rpc
    cast: Cast
    vault: Deployed
    router: Deployed
    token: Deployed
    dice: random.Random
    sent: dict[str, Action] = field(default_factory=dict)
    #: The vault is known to be paused: users leave it and its router alone.
    closed: bool = False

    @classmethod
    async def build(
        cls, rpc: Rpc, seed: int, history_blocks: int = HISTORY_BLOCKS, guardian: str | None = None
    ) -> Scene:
        """Deploys the contracts, lets the users use them, and lets `history_blocks` pass.

        A `guardian` is an account that is not the node's: it is given ether. Without one, one of the node's is it.
        """
        cast = Cast.of(await rpc.accounts(), guardian)
        if guardian is not None:
            await rpc.send(cast.deployer, guardian, value=_GUARDIAN_FUNDS, gas=21_000)
        vault = await deploy(rpc, "Vault", cast.deployer, cast.guardian)
        router = await deploy(rpc, "Router", cast.deployer, vault.address)
        token = await deploy(rpc, "Token", cast.deployer, _TOKEN_SUPPLY)
        scene = cls(rpc, cast, vault, router, token, random.Random(seed))  # noqa: S311  (a story, not a secret)
        for user in cast.users:
            amount = _TOKEN_SUPPLY // 100
            await token.send(
                rpc, cast.deployer, "transfer(address,uint256)", user.address, amount, gas=80_000
            )
            await scene._deposit(user, 8 * ETHER)
            await scene._enter(user, 2 * ETHER)
        for _ in range(_ROUNDS_OF_HISTORY):
            await rpc.mine()
            for user in cast.users:
                await scene.act(user)
        for done in range(0, history_blocks, _BLOCKS_AT_ONCE):
            blocks = min(_BLOCKS_AT_ONCE, history_blocks - done)
            await rpc.call("anvil_mine", hex(blocks), hex(HISTORY_SECONDS_PER_BLOCK))
        scene.sent.clear()
        return scene

    async def act(self, user: User | None = None) -> Action:
        """One honest transaction, of this user or of any."""
        user = user or self.dice.choice(self.cast.users)
        amount = self.dice.randrange(1, 40) * ETHER // 20
        vault = [] if self.closed else [self._deposit, self._enter]
        choices = [*vault, self._transfer_token, self._approve_token, self._transfer_ether]
        if user.in_vault >= amount and not self.closed:
            choices.append(self._withdraw)
        if user.in_router >= amount and not self.closed:
            choices.append(self._exit)
        return await self.dice.choice(choices)(user, amount)

    async def welcome(self) -> Action:
        """A user nobody has seen before makes its first transaction: a first deposit is no attack."""
        return await self._enter(self.cast.newcomer, 5 * ETHER)

    async def _deposit(self, user: User, amount: int) -> Action:
        user.in_vault += amount
        return await self._call(
            user, self.vault, "deposit()", text=_of("deposits", amount), value=amount, gas=95_000
        )

    async def _withdraw(self, user: User, amount: int) -> Action:
        user.in_vault -= amount
        return await self._call(
            user, self.vault, "withdraw(uint256)", amount, text=_of("withdraws", amount), gas=80_000
        )

    async def _enter(self, user: User, amount: int) -> Action:
        user.in_router += amount
        text = _of("deposits through the Router", amount)
        return await self._call(user, self.router, "enter()", text=text, value=amount, gas=140_000)

    async def _exit(self, user: User, amount: int) -> Action:
        user.in_router -= amount
        text = _of("withdraws through the Router", amount)
        return await self._call(user, self.router, "exit(uint256)", amount, text=text, gas=130_000)

    async def _transfer_token(self, user: User, amount: int) -> Action:
        to = self.dice.choice(self.cast.users).address
        text = _of("pays", amount, "DEMO")
        return await self._call(
            user, self.token, "transfer(address,uint256)", to, amount, text=text, gas=65_000
        )

    async def _approve_token(self, user: User, amount: int) -> Action:
        text = _of("lets the Router spend", amount, "DEMO")
        router = self.router.address
        return await self._call(
            user, self.token, "approve(address,uint256)", router, amount, text=text, gas=60_000
        )

    async def _transfer_ether(self, user: User, amount: int) -> Action:
        to = self.dice.choice(self.cast.users).address
        tx_hash = await self.rpc.send(
            user.address, to, value=amount // 10, gas=21_000, tip=self._tip(), max_fee=_FEE_CAP
        )
        return self._remember(Action(user.name, _of("pays", amount // 10), tx_hash))

    async def _call(
        self, user: User, contract: Deployed, signature: str, *arguments: int | str, text: str, **options: int
    ) -> Action:
        tx_hash = await contract.send(
            self.rpc, user.address, signature, *arguments, tip=self._tip(), max_fee=_FEE_CAP, **options
        )
        return self._remember(Action(user.name, text, tx_hash))

    def _remember(self, action: Action) -> Action:
        self.sent[action.tx_hash] = action
        return action

    def _tip(self) -> int:
        return self.dice.randrange(5, 30) * GWEI // 10


def _of(verb: str, amount: int, unit: str = "ETH") -> str:
    return f"{verb} {amount / ETHER:g} {unit}"
