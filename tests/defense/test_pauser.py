"""A Pauser, a Safe's module and an AccessManager on a real node: who may pause, and what failure looks like."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils.address import is_same_address
from eth_utils.crypto import keccak

from mempool_ids.config.contracts import Contract as Entry
from mempool_ids.defense.armed import Call
from mempool_ids.defense.calls import check_call, is_paused, pause_call, pauser_stores, several
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.contracts import Artifact
from mempool_ids.demo.rpc import Rpc
from mempool_ids.exceptions import ConfigError
from mempool_ids.node import RpcError
from tests.scenarios.stage import Actor, Contract, Stage, path_of

ZERO = "0x" + "00" * 20
GAS = 1_000_000
PAUSE = bytes.fromhex("8456cb59")
OBEYS, REVERTS, BURNS_GAS, SAYS_MUCH = range(4)


@pytest.fixture(scope="module")
def anvil(anvil_binary: Any) -> Iterator[Anvil]:
    with Anvil(anvil_binary, AnvilOptions()) as running:
        yield running


@pytest.fixture
async def rpc(anvil: Anvil) -> AsyncIterator[Rpc]:
    async with Rpc(anvil.http_url) as connected:
        await connected.call("anvil_setBalance", (await connected.accounts())[0], hex(10**30))
        yield connected


async def carried_out(
    stage: Stage, sender: Actor, call: Call, gas: int = GAS, value: int = 0
) -> dict[str, Any]:
    """The receipt of this call, mined at once."""
    signed = sender.key.sign_transaction(
        {
            "chainId": stage.chain_id,
            "nonce": sender.nonce,
            "to": bytes.fromhex(call.to[2:]),
            "data": call.data,
            "value": value,
            "gas": gas,
            "maxFeePerGas": 50 * 10**9,
            "maxPriorityFeePerGas": 10**9,
        }
    )
    sender.nonce += 1
    tx_hash = await stage.rpc.send_raw(signed.raw_transaction)
    await stage.rpc.mine()
    return await stage.rpc.receipt(tx_hash, 10)


async def succeeds(stage: Stage, sender: Actor, call: Call, gas: int = GAS) -> bool:
    return bool((await carried_out(stage, sender, call, gas))["status"] == "0x1")


async def ask(rpc: Rpc, call: Call) -> bytes:
    request = {"to": call.to, "data": "0x" + call.data.hex()}
    return bytes.fromhex((await rpc.call("eth_call", request, "latest"))[2:])


async def paused(rpc: Rpc, contract: Contract) -> bool:
    return is_paused(await ask(rpc, Call(contract.address, contract.data("paused()"))))


def call(contract: Contract, signature: str, *arguments: Any) -> Call:
    return Call(contract.address, contract.data(signature, *arguments))


def entry(contract: Contract, via: str, **pause: Any) -> Entry:
    return Entry.model_validate(
        {
            "name": contract.name,
            "address": contract.address,
            "pause": {"call": "pause()", "check": "paused()", "via": via, **pause},
        }
    )


def events(receipt: dict[str, Any], signature: str) -> list[dict[str, Any]]:
    topic = "0x" + keccak(text=signature).hex()
    return [log for log in receipt["logs"] if log["topics"][0] == topic]


class Protected:
    """A Pauser with its owner and a guardian, and targets that it may pause."""

    def __init__(self, stage: Stage, pauser: Contract, targets: list[Contract]) -> None:
        self.stage, self.pauser, self.targets = stage, pauser, targets
        self.owner, (self.guardian, self.stranger) = stage.deployer, stage.people

    @classmethod
    async def on(cls, rpc: Rpc, targets: int) -> Protected:
        stage = await Stage.on(rpc, people=2)
        pauser = await stage.deploy("Pauser", stage.deployer.address)
        made = [await stage.deploy("Stubborn") for _ in range(targets)]
        await stage.settle()
        await stage.send(stage.deployer, pauser, "addGuardian(address)", stage.people[0].address)
        for target in made:
            await stage.send(stage.deployer, pauser, "setTarget(address,bytes)", target.address, PAUSE)
        await stage.settle()
        return cls(stage, pauser, made)

    @property
    def via(self) -> str:
        return f"pauser:{self.pauser.address}"

    def many(self, targets: list[Contract] | None = None) -> Call:
        chosen = self.targets if targets is None else targets
        return several(self.pauser.address, [entry(target, self.via) for target in chosen])

    async def become(self, target: Contract, way: int) -> None:
        await self.stage.send(self.owner, target, "become(uint8)", way)
        await self.stage.settle()

    async def paused(self) -> list[bool]:
        return [await paused(self.stage.rpc, target) for target in self.targets]


async def test_a_guardian_pauses_one_by_what_the_owner_wrote_down(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=2)
    receipt = await carried_out(it.stage, it.guardian, pause_call(entry(it.targets[0], it.via)))
    assert receipt["status"] == "0x1"
    (log,) = events(receipt, "Paused(address,address)")
    assert [topic[-40:] for topic in log["topics"][1:]] == [
        it.targets[0].address[2:],
        it.guardian.address[2:],
    ]
    assert await it.paused() == [True, False]


async def test_a_guardian_pauses_all_in_one_transaction(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=3)
    receipt = await carried_out(it.stage, it.guardian, it.many())
    assert receipt["status"] == "0x1"
    assert len(events(receipt, "Paused(address,address)")) == 3
    assert await it.paused() == [True] * 3


@pytest.mark.parametrize("who", ["owner", "stranger"])
async def test_nobody_else_pauses(who: str, rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=1)
    actor: Actor = getattr(it, who)
    for attempt in (it.many(), pause_call(entry(it.targets[0], it.via))):
        assert not await succeeds(it.stage, actor, attempt)
    assert await it.paused() == [False]


@pytest.mark.parametrize("who", ["guardian", "stranger"])
async def test_only_the_owner_keeps_the_lists(who: str, rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=1)
    actor: Actor = getattr(it, who)
    pauser, target = it.pauser, it.targets[0].address
    unpause = it.targets[0].data("setPaused(bool)", False)
    for attempt in (
        call(pauser, "setTarget(address,bytes)", target, unpause),
        call(pauser, "revokeTarget(address)", target),
        call(pauser, "addGuardian(address)", actor.address),
        call(pauser, "revokeGuardian(address)", it.guardian.address),
        call(pauser, "transferOwnership(address)", actor.address),
        call(pauser, "acceptOwnership()"),
    ):
        assert not await succeeds(it.stage, actor, attempt)
    assert await pauser.number(rpc, "owner()") == int(it.owner.address, 16)
    assert await succeeds(it.stage, it.guardian, it.many())


async def test_a_pauser_has_no_function_that_unpauses_moves_or_changes_its_code() -> None:
    artifact = Artifact.parse(path_of("Pauser").read_text("utf-8"))
    changing = {
        item["name"]
        for item in artifact.abi
        if item["type"] == "function" and item["stateMutability"] not in ("view", "pure")
    }
    lists = {"addGuardian", "revokeGuardian", "setTarget", "revokeTarget"}
    assert changing == {"pause", "pauseMany", "transferOwnership", "acceptOwnership"} | lists
    assert not [item for item in artifact.abi if item.get("stateMutability") == "payable"]
    assert not [item for item in artifact.abi if item["type"] in ("fallback", "receive")]


async def test_it_takes_no_ether(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=1)
    for attempt in (Call(it.pauser.address, b""), it.many()):
        assert (await carried_out(it.stage, it.guardian, attempt, value=1))["status"] == "0x0"
    assert await rpc.balance(it.pauser.address) == 0


async def test_what_is_revoked_can_do_no_more(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=2)
    gone, kept = it.targets
    assert await succeeds(it.stage, it.owner, call(it.pauser, "revokeTarget(address)", gone.address))
    assert not await succeeds(it.stage, it.guardian, pause_call(entry(gone, it.via)))
    receipt = await carried_out(it.stage, it.guardian, it.many())
    assert receipt["status"] == "0x1"
    assert len(events(receipt, "PauseFailed(address,address,bytes4)")) == 1
    assert await it.paused() == [False, True]
    assert await succeeds(it.stage, it.owner, call(it.pauser, "revokeGuardian(address)", it.guardian.address))
    assert not await succeeds(it.stage, it.guardian, pause_call(entry(kept, it.via)))


async def test_ownership_goes_over_in_two_steps(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=1)
    transfer = call(it.pauser, "transferOwnership(address)", it.stranger.address)
    assert await succeeds(it.stage, it.owner, transfer)
    assert await it.pauser.number(rpc, "owner()") == int(it.owner.address, 16)
    assert not await succeeds(it.stage, it.guardian, call(it.pauser, "acceptOwnership()"))
    assert await succeeds(it.stage, it.stranger, call(it.pauser, "acceptOwnership()"))
    assert await it.pauser.number(rpc, "owner()") == int(it.stranger.address, 16)
    assert await it.pauser.number(rpc, "pendingOwner()") == 0
    assert not await succeeds(it.stage, it.owner, transfer)
    assert not await succeeds(it.stage, it.stranger, call(it.pauser, "acceptOwnership()"))


async def test_a_hand_over_can_be_taken_back(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=0)
    for to in (it.stranger.address, ZERO):
        assert await succeeds(it.stage, it.owner, call(it.pauser, "transferOwnership(address)", to))
    assert not await succeeds(it.stage, it.stranger, call(it.pauser, "acceptOwnership()"))


async def test_nonsense_does_not_get_onto_the_lists(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=1)
    target, own = it.targets[0].address, it.pauser.address
    for attempt in (
        call(it.pauser, "setTarget(address,bytes)", own, PAUSE),
        call(it.pauser, "setTarget(address,bytes)", it.stranger.address, PAUSE),
        call(it.pauser, "setTarget(address,bytes)", target, b""),
        call(it.pauser, "setTarget(address,bytes)", target, PAUSE[:3]),
        call(it.pauser, "addGuardian(address)", ZERO),
    ):
        assert not await succeeds(it.stage, it.owner, attempt)
    await it.stage.deploy("Pauser", ZERO)
    with pytest.raises(RpcError, match="reverted"):
        await it.stage.settle()


async def test_it_goes_on_past_one_that_fails_and_says_why(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=3)
    await it.become(it.targets[1], REVERTS)
    receipt = await carried_out(it.stage, it.guardian, it.many())
    assert receipt["status"] == "0x1"
    (log,) = events(receipt, "PauseFailed(address,address,bytes4)")
    assert log["data"][2:10] == keccak(text="Never(uint256)")[:4].hex()
    assert await it.paused() == [True, False, True]


async def test_it_reverts_where_none_succeeds(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=2)
    for target in it.targets:
        await it.become(target, REVERTS)
    assert not await succeeds(it.stage, it.guardian, it.many())
    assert not await succeeds(it.stage, it.guardian, call(it.pauser, "pauseMany(address[])", []))


async def test_one_alone_reverts_as_the_target_does(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=1)
    await it.become(it.targets[0], REVERTS)
    pause = pause_call(entry(it.targets[0], it.via))
    request = {"from": it.guardian.address, "to": pause.to, "data": "0x" + pause.data.hex()}
    answer = await rpc.call("eth_simulateV1", {"blockStateCalls": [{"calls": [request]}]}, "latest")
    said = answer[0]["calls"][0]["returnData"]
    assert said == "0x" + (keccak(text="Never(uint256)")[:4] + encode(["uint256"], [7])).hex()


async def test_a_target_that_says_much_does_not_keep_the_others_running(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=2)
    await it.become(it.targets[0], SAYS_MUCH)
    assert await succeeds(it.stage, it.guardian, it.many(), gas=250_000)
    assert await it.paused() == [False, True]


async def test_too_little_gas_is_not_taken_for_a_targets_own_failure(rpc: Rpc) -> None:
    """A transaction that runs out on the second of two must not succeed with one: an estimate would find that limit."""
    it = await Protected.on(rpc, targets=2)
    pause = it.many()
    request = {"from": it.guardian.address, "to": pause.to, "data": "0x" + pause.data.hex()}
    least = int(await rpc.call("eth_estimateGas", request), 16)
    receipt = await carried_out(it.stage, it.guardian, pause, gas=least)
    assert receipt["status"] == "0x1"
    assert await it.paused() == [True, True]
    used = int(receipt["gasUsed"], 16)
    for target in it.targets:
        await it.stage.send(it.owner, target, "setPaused(bool)", False)
    await it.stage.settle()
    for gas in range(used - 60_000, used, 4_000):
        done = await succeeds(it.stage, it.guardian, pause, gas=gas)
        assert await it.paused() == [done, done], f"with {gas} gas"
        if done:
            break


async def test_a_target_that_burns_all_gas_takes_the_others_with_it_and_can_be_left_out(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=3)
    await it.become(it.targets[1], BURNS_GAS)
    assert not await succeeds(it.stage, it.guardian, it.many())
    assert await it.paused() == [False] * 3
    assert await succeeds(it.stage, it.guardian, it.many([it.targets[0], it.targets[2]]))
    assert await it.paused() == [True, False, True]


async def test_what_a_pauser_stores_is_told_from_what_is_configured(rpc: Rpc) -> None:
    it = await Protected.on(rpc, targets=1)
    target = it.targets[0]
    for configured, same in (({}, True), ({"call": "setPaused(bool)", "args": [True]}, False)):
        stored = pauser_stores(entry(target, it.via, **configured))
        assert stored is not None
        asked, expected = stored
        assert (await ask(rpc, asked) == expected) == same
    assert pauser_stores(entry(target, f"safe_module:{ZERO}")) is None


class Module:
    """A Safe of one owner with the guardian as its module, and a vault that the Safe may pause."""

    def __init__(self, stage: Stage, safe: Contract, vault: Contract) -> None:
        self.stage, self.safe, self.vault, self.guardian = stage, safe, vault, stage.people[0]
        self.entry = entry(vault, f"safe_module:{safe.address}")

    @classmethod
    async def on(cls, rpc: Rpc) -> Module:
        stage = await Stage.on(rpc, people=1)
        owner, guardian = stage.deployer, stage.people[0]
        singleton = await stage.deploy("Safe")
        proxy = await stage.deploy("SafeProxy", singleton.address)
        safe = Contract("Safe", proxy.address)
        await stage.settle()
        setup = "setup(address[],uint256,address,bytes,address,address,uint256,address)"
        await stage.send(owner, safe, setup, [owner.address], 1, ZERO, b"", ZERO, ZERO, 0, ZERO)
        enable = safe.data("enableModule(address)", guardian.address)
        # What an owner sends itself it need not sign.
        own = bytes(12) + bytes.fromhex(owner.address[2:]) + bytes(32) + b"\x01"
        execute = "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"
        await stage.send(owner, safe, execute, safe.address, 0, enable, 0, 0, 0, 0, ZERO, ZERO, own)
        vault = await stage.deploy("Vault", safe.address)
        await stage.settle()
        return cls(stage, safe, vault)

    async def paused(self) -> bool:
        check = check_call(self.entry)
        assert check is not None
        return is_paused(await ask(self.stage.rpc, check))


async def test_a_safe_pauses_for_its_module(rpc: Rpc) -> None:
    it = await Module.on(rpc)
    receipt = await carried_out(it.stage, it.guardian, pause_call(it.entry))
    assert receipt["status"] == "0x1"
    assert len(events(receipt, "ExecutionFromModuleSuccess(address)")) == 1
    assert await it.paused()


async def test_a_safe_obeys_nobody_else(rpc: Rpc) -> None:
    it = await Module.on(rpc)
    assert not await succeeds(it.stage, it.stage.deployer, pause_call(it.entry))
    assert not await it.paused()


async def test_a_safe_whose_pause_fails_does_not_revert_and_only_the_check_tells(rpc: Rpc) -> None:
    it = await Module.on(rpc)
    await it.stage.send(it.stage.deployer, it.vault, "setGuardian(address)", it.guardian.address)
    await it.stage.settle()
    pause = pause_call(it.entry)
    request = {"from": it.guardian.address, "to": pause.to, "data": "0x" + pause.data.hex()}
    answer = bytes.fromhex((await rpc.call("eth_call", request, "latest"))[2:])
    assert decode(["bool"], answer) == (False,)
    receipt = await carried_out(it.stage, it.guardian, pause)
    assert receipt["status"] == "0x1"
    assert len(events(receipt, "ExecutionFromModuleFailure(address)")) == 1
    assert not await it.paused()


class Managed:
    """A vault whose rights an AccessManager gives: the guardian may close it there, or make the manager pause it."""

    GUARDIAN_ROLE = 7
    PUBLIC = 2**64 - 1

    def __init__(self, stage: Stage, manager: Contract, vault: Contract) -> None:
        self.stage, self.manager, self.vault, self.guardian = stage, manager, vault, stage.people[0]
        self.via = f"access_manager:{manager.address}"

    @classmethod
    async def on(cls, rpc: Rpc, *, admin: bool) -> Managed:
        """`admin`: the guardian may close targets, which takes the manager's highest role."""
        stage = await Stage.on(rpc, people=1)
        owner, guardian = stage.deployer, stage.people[0]
        manager = await stage.deploy("AccessManager", owner.address)
        vault = await stage.deploy("ManagedVault", manager.address)
        await stage.settle()
        grant, roles = "grantRole(uint64,address,uint32)", "setTargetFunctionRole(address,bytes4[],uint64)"
        role = 0 if admin else cls.GUARDIAN_ROLE
        await stage.send(owner, manager, grant, role, guardian.address, 0)
        await stage.send(owner, manager, roles, vault.address, [PAUSE], cls.GUARDIAN_ROLE)
        deposit = vault.data("deposit()")[:4]
        await stage.send(owner, manager, roles, vault.address, [deposit], cls.PUBLIC)
        await stage.settle()
        return cls(stage, manager, vault)

    async def is_open(self) -> bool:
        deposit = call(self.vault, "deposit()")
        return bool((await carried_out(self.stage, self.stage.deployer, deposit, value=1))["status"] == "0x1")


async def test_a_manager_closes_what_it_manages(rpc: Rpc) -> None:
    it = await Managed.on(rpc, admin=True)
    configured = entry(it.vault, it.via, call="setTargetClosed(address,bool)", check=None)
    check = check_call(configured)
    assert check is not None
    assert is_same_address(check.to, it.manager.address)
    assert await it.is_open()
    assert not is_paused(await ask(rpc, check))
    assert await succeeds(it.stage, it.guardian, pause_call(configured))
    assert is_paused(await ask(rpc, check))
    assert not await it.is_open()


async def test_a_manager_carries_out_a_pause(rpc: Rpc) -> None:
    it = await Managed.on(rpc, admin=False)
    configured = entry(it.vault, it.via)
    check = check_call(configured)
    assert check is not None
    assert check.to == it.vault.address
    assert await it.is_open()
    assert await succeeds(it.stage, it.guardian, pause_call(configured))
    assert is_paused(await ask(rpc, check))
    assert not await it.is_open()


async def test_a_manager_reverts_where_the_guardian_lacks_the_role(rpc: Rpc) -> None:
    it = await Managed.on(rpc, admin=False)
    closing = entry(it.vault, it.via, call="setTargetClosed(address,bool)", check=None)
    assert not await succeeds(it.stage, it.guardian, pause_call(closing))
    assert not await succeeds(it.stage, it.stage.deployer, pause_call(entry(it.vault, it.via)))
    assert await it.is_open()


def test_several_are_of_one_pauser() -> None:
    first, second = Contract("Stubborn", "0x" + "11" * 20), Contract("Stubborn", "0x" + "22" * 20)
    pauser, other = "0x" + "aa" * 20, "0x" + "bb" * 20
    with pytest.raises(ConfigError, match="not paused by the pauser"):
        several(pauser, [entry(first, f"pauser:{pauser}"), entry(second, f"pauser:{other}")])
    with pytest.raises(ConfigError, match="no contract"):
        several(pauser, [])
    twice = several(pauser.upper().replace("0X", "0x"), [entry(first, f"pauser:{pauser}")] * 2)
    assert twice.to == pauser
    assert decode(["address[]"], twice.data[4:]) == ((first.address,),)
