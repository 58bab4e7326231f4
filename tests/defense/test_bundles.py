from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from mempool_ids.config import Secret, Url
from mempool_ids.defense.broadcast.builders import Builder, chosen, load, shipped
from mempool_ids.defense.broadcast.bundle import (
    MAX_BYTES,
    Identity,
    bundle_id,
    bundles,
    cancel,
    private_transaction,
)
from mempool_ids.defense.broadcast.relays import Relays
from mempool_ids.defense.broadcast.replies import Reply
from mempool_ids.demo.contracts import Deployed, artifact, deploy
from mempool_ids.demo.rpc import Rpc
from mempool_ids.exceptions import ConfigError
from tests.defense.relay import DIALECTS, OrderedAnvil, Relay, hash_of

GWEI = 10**9
ETHER = 10**18
CHAIN_ID = 31337
RESPONSE = "response-1"
IDENTITY = Identity(PrivateKey(b"\x07" * 32))
#: Those that can take a bundle away again.
NAMED = [name for name, dialect in DIALECTS.items() if dialect.name is not None]


def builder(name: str, **changes: Any) -> Builder:
    return shipped()[name].model_copy(update=changes)


def told(bodies: list[bytes]) -> list[dict[str, Any]]:
    """The parameter object of each request."""
    return [orjson.loads(body)["params"][0] for body in bodies]


# --- what is built


@pytest.mark.parametrize("name", shipped())
def test_each_block_is_offered_the_pause_alone_and_the_pause_before_the_attack(name: str) -> None:
    one = builder(name)
    offers = told(
        bundles(one, b"\x02\x01", b"\x02\x02", "0x" + "ab" * 32, block=10, replacement=RESPONSE, sequence=1)
    )

    assert [offer["txs"] for offer in offers] == [["0x0201"], ["0x0201", "0x0202"]] * (len(offers) // 2)
    if one.block == "only":
        assert [offer["blockNumber"] for offer in offers] == ["0xa", "0xa", "0xb", "0xb", "0xc", "0xc"]
    else:
        assert [offer["maxBlockNumber"] for offer in offers] == [12, 12]
    for alone, both in zip(offers[::2], offers[1::2], strict=True):
        assert not {"revertingTxHashes", "droppingTxHashes"} & alone.keys(), (
            "the pause may neither revert nor be dropped"
        )
        assert both["revertingTxHashes"] == ["0x" + "ab" * 32]
        assert ("droppingTxHashes" in both) is (one.dropping is not None)


@given(st.text(min_size=1), st.integers(0, 2**63), st.booleans())
def test_a_bundles_name_is_a_uuid_of_version_4_and_the_same_each_time(
    response: str, block: int, with_attack: bool
) -> None:
    name = bundle_id(response, block, with_attack=with_attack)
    assert uuid.UUID(name).version == 4
    assert uuid.UUID(name).variant == uuid.RFC_4122
    assert name == bundle_id(response, block, with_attack=with_attack)
    assert name != bundle_id(response, block, with_attack=not with_attack)
    assert name != bundle_id(response, block + 1, with_attack=with_attack)


def test_an_attack_that_does_not_fit_leaves_the_pause_alone() -> None:
    one = builder("titan")
    common: dict[str, Any] = {"block": 1, "replacement": RESPONSE, "sequence": 1, "blocks": 1}
    assert len(bundles(one, b"\x02", b"\x02" * MAX_BYTES, "0x" + "ab" * 32, **common)) == 1
    assert len(bundles(one, b"\x02", b"\x03" + b"\x02" * 9, "0x" + "ab" * 32, **common)) == 1, (
        "blobs do not fit"
    )
    assert len(bundles(one, b"\x02", None, None, **common)) == 1
    with pytest.raises(ValueError, match="at most 100 transactions"):
        bundles(one, b"\x02" * (MAX_BYTES + 1), None, None, **common)
    with pytest.raises(ValueError, match="at most 100 transactions"):
        bundles(one, b"\x02", None, None, tail=[b"\x02"] * 100, **common)
    with pytest.raises(ValueError, match="above 0"):
        bundles(one, b"\x02", None, None, block=1, replacement=RESPONSE, sequence=0)


def test_a_private_transaction_tells_searchers_nothing() -> None:
    body = private_transaction(builder("flashbots"), b"\x02\x01", 35)
    assert body is not None
    (given_,) = told([body])
    assert given_ == {"tx": "0x0201", "maxBlockNumber": "0x23", "preferences": {"privacy": {"hints": []}}}
    assert b"fast" not in body
    assert private_transaction(builder("quasar"), b"\x02\x01", 35) is None


# --- the key that signs


def test_a_signature_is_of_the_identity_and_costs_less_than_a_millisecond() -> None:
    body = bundles(
        builder("flashbots"),
        bytes(200),
        bytes(2000),
        "0x" + "ab" * 32,
        block=1,
        replacement=RESPONSE,
        sequence=1,
    )[1]
    IDENTITY.header(body)
    took = []
    for _ in range(50):
        began = time.perf_counter()
        IDENTITY.header(body)
        took.append(time.perf_counter() - began)
    assert sorted(took)[25] < 0.001


def test_a_guardians_key_does_not_sign_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_KEY", "0x" + "07" * 32)
    secret = Secret("env:IDENTITY_KEY")
    assert Identity.load(secret, ["0x" + "11" * 20]).address == IDENTITY.address
    with pytest.raises(ConfigError, match="guardian's key"):
        Identity.load(secret, [IDENTITY.address.upper().replace("X", "x")])
    for text in ("07" * 31, "0x" + "00" * 32, "zz" * 32):
        monkeypatch.setenv("IDENTITY_KEY", text)
        with pytest.raises(ConfigError, match="is not a private key") as raised:
            Identity.load(secret, [])
        assert text not in str(raised.value)
    assert "07" * 8 not in repr(IDENTITY)


# --- the data


def test_an_entry_of_the_users_file_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "builders.toml"
    path.write_text(
        '[[builders]]\nname = "titan"\nurl = "https://eu.example/key-0123456789"\nchains = [1, 17000]\n'
        'signature = "optional"\n'
    )
    (titan,) = chosen(["titan", "titan"], 17000, path)
    assert titan.url.full == "https://eu.example/key-0123456789"
    assert "key-0123456789" not in repr(titan)
    with pytest.raises(
        ConfigError, match="flashbots does not build for chain 56; known there: 48club, blockrazor"
    ):
        chosen(["flashbots"], 56)
    with pytest.raises(ConfigError, match="no builder 'titann'; did you mean titan"):
        chosen(["titann"], 1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('revrting = "x"', r"builders.toml:5: builders.0.revrting: unknown key; did you mean reverting\?"),
        ('replacement = { idd = "x" }', r"builders.0.replacement.id: is missing"),
        ('cancel = "empty"', "cancel without replacement"),
        ('url = "ftp://secret-0123456789"', "Cannot overwrite a value"),
        ('connections = "many"', "builders.toml:5: builders.0.connections: "),
    ],
)
def test_a_wrong_file_is_told_with_the_place_and_the_nearest_key(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "builders.toml"
    path.write_text(
        f'[[builders]]\nname = "b"\nurl = "https://b"\nchains = [1]\n{text}\nsignature = "ignored"\n'
    )
    with pytest.raises(ConfigError, match=complaint) as raised:
        load(path)
    assert "secret-0123456789" not in str(raised.value)


# --- on a chain


@pytest.fixture(scope="module")
def node(anvil_binary: Path) -> Iterator[OrderedAnvil]:
    with OrderedAnvil(anvil_binary) as running:
        yield running


@dataclass
class Scene:
    """A vault with money in it, a guardian, and an attack that waits in the public pool with a high tip."""

    rpc: Rpc
    vault: Deployed
    guardian: LocalAccount
    attacker: LocalAccount
    attack_to: str
    pause: bytes
    attack: bytes

    @classmethod
    async def set(cls, rpc: Rpc) -> Scene:
        await rpc.call("anvil_dropAllTransactions")
        guardian, attacker = (Account.from_key(os.urandom(32)) for _ in range(2))
        rich = (await rpc.accounts())[0]
        vault = await deploy(rpc, "Vault", rich, guardian.address)
        await vault.send(rpc, rich, "deposit()", value=10 * ETHER)
        for someone in (guardian, attacker):
            await rpc.send(rich, someone.address, value=5 * ETHER)
        await rpc.mine()
        scene = cls(rpc, vault, guardian, attacker, "", b"", b"")
        code = artifact("Attacker").creation(vault.address)
        created = await rpc.send_raw(scene.sign(attacker, None, code))
        await rpc.mine()
        scene.attack_to = (await rpc.receipt(created, 10))["contractAddress"]
        scene.pause = scene.sign(guardian, vault.address, artifact("Vault").calldata("pause()"), tip=GWEI)
        scene.attack = scene.strike(tip=50 * GWEI)
        await scene.publish(scene.attack)
        return scene

    def strike(self, *, tip: int) -> bytes:
        data = artifact("Attacker").calldata("attack()")
        return self.sign(self.attacker, self.attack_to, data, nonce=1, value=ETHER, tip=tip)

    @staticmethod
    def sign(
        by: LocalAccount, to: str | None, data: str, *, nonce: int = 0, value: int = 0, tip: int = GWEI
    ) -> bytes:
        fields = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "data": data,
            "value": value,
            "gas": 1_500_000,
            "maxFeePerGas": 2 * tip + 100 * GWEI,
            "maxPriorityFeePerGas": tip,
            **({} if to is None else {"to": to_checksum_address(to)}),
        }
        return bytes(by.sign_transaction(fields).raw_transaction)

    async def publish(self, raw: bytes) -> None:
        await self.rpc.send_raw(raw)

    async def next_block(self) -> int:
        return await self.rpc.block_number() + 1

    async def is_paused(self) -> bool:
        return bool(await self.vault.read(self.rpc, "paused()"))

    async def left(self) -> int:
        return await self.rpc.balance(self.vault.address)

    def offers(
        self, one: Builder, block: int, *, sequence: int = 1, attack: bytes | None = None
    ) -> list[bytes]:
        attack = attack or self.attack
        return bundles(
            one,
            self.pause,
            attack,
            hash_of("0x" + attack.hex()),
            block=block,
            replacement=self.guardian.address,
            sequence=sequence,
        )


@pytest.fixture
async def scene(node: OrderedAnvil) -> AsyncIterator[Scene]:
    async with Rpc(node.http_url) as rpc:
        yield await Scene.set(rpc)


def ours(relays: dict[str, Relay], **options: Any) -> Relays:
    return Relays([builder(name, url=Url(relay.url)) for name, relay in relays.items()], IDENTITY, **options)


@pytest.mark.parametrize("name", shipped())
async def test_the_pause_lands_before_the_attack_in_every_dialect(scene: Scene, name: str) -> None:
    async with Relay(name, scene.rpc) as relay, ours({name: relay}) as relays:
        block = await scene.next_block()
        answers = await relays.send({name: scene.offers(relays.builders[name], block)})
        assert {answer.kind for answer in answers[name]} == {Reply.ACCEPTED}, answers
        mined = await relay.build()

    pause, attack = (hash_of("0x" + raw.hex()) for raw in (scene.pause, scene.attack))
    assert mined[:2] == [pause, attack]
    assert await scene.is_paused()
    assert await scene.left() == 10 * ETHER
    receipt = await scene.rpc.receipt(attack, 1)
    assert receipt["status"] == "0x0"
    expected = None if relays.builders[name].signature == "ignored" else IDENTITY.address
    assert set(relay.signers) == {expected}


@pytest.mark.parametrize("name", shipped())
async def test_an_attack_that_is_replaced_voids_only_the_second_bundle(scene: Scene, name: str) -> None:
    async with Relay(name, scene.rpc) as relay, ours({name: relay}) as relays:
        block = await scene.next_block()
        await relays.send({name: scene.offers(relays.builders[name], block)})
        # The attacker moves its nonce on: what the second bundle has cannot be included any more.
        await scene.rpc.call("anvil_setNonce", scene.attacker.address, "0x2")
        await scene.rpc.call("anvil_dropAllTransactions")
        mined = await relay.build()

    assert mined == [hash_of("0x" + scene.pause.hex())]
    assert await scene.is_paused()


async def test_a_replacement_of_the_attack_is_answered_under_the_same_names(scene: Scene) -> None:
    dearer = scene.strike(tip=80 * GWEI)
    async with AsyncExitStack() as stack:
        relays = {name: await stack.enter_async_context(Relay(name, scene.rpc)) for name in NAMED}
        sender = await stack.enter_async_context(ours(relays))
        block = await scene.next_block()
        for sequence, attack in ((1, scene.attack), (2, dearer)):
            bodies = {
                name: scene.offers(sender.builders[name], block, sequence=sequence, attack=attack)
                for name in relays
            }
            await sender.send(bodies)
        await scene.publish(dearer)
        for name, relay in relays.items():
            assert len(relay.offers) == 6, f"{name}: each took the place of its own"
        # What is late and older changes nothing where the dialect has an order.
        await sender.send({name: scene.offers(sender.builders[name], block, sequence=1) for name in relays})
        for name, relay in relays.items():
            has_order = DIALECTS[name].sequence is not None
            kept = {raw for offer in relay.offers.values() for raw in offer.txs}
            assert (("0x" + dearer.hex()) in kept) is has_order, name
        mined = await relays["titan"].build()
    assert mined[:2] == [hash_of("0x" + raw.hex()) for raw in (scene.pause, dearer)]


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("only_attack", [False, True])
async def test_what_is_cancelled_is_not_included(scene: Scene, name: str, only_attack: bool) -> None:
    async with Relay(name, scene.rpc) as relay, ours({name: relay}) as relays:
        block = await scene.next_block()
        one = relays.builders[name]
        await relays.send({name: scene.offers(one, block)})
        bodies = cancel(
            one, block=block, replacement=scene.guardian.address, sequence=2, only_attack=only_attack
        )
        answers = await relays.send({name: bodies})
        assert {answer.kind for answer in answers[name]} == {Reply.ACCEPTED}, answers
        await scene.rpc.call("anvil_dropAllTransactions")
        mined = await relay.build()
    assert mined == ([hash_of("0x" + scene.pause.hex())] if only_attack else [])


@pytest.mark.parametrize("name", sorted(set(DIALECTS) - set(NAMED)))
def test_where_nothing_can_be_taken_back_nothing_is_asked(name: str) -> None:
    assert cancel(builder(name), block=1, replacement=RESPONSE, sequence=2) == []


async def test_a_pause_that_reverts_is_not_included(scene: Scene) -> None:
    """A bundle does not cost the guardian anything where it does not work: here somebody took its role."""
    stranger = Account.from_key(os.urandom(32))
    rich = (await scene.rpc.accounts())[0]
    await scene.rpc.call("anvil_dropAllTransactions")
    await scene.vault.send(scene.rpc, rich, "setGuardian(address)", stranger.address)
    await scene.rpc.mine()
    await scene.publish(scene.attack)
    async with Relay("titan", scene.rpc) as relay, ours({"titan": relay}) as relays:
        await relays.send({"titan": scene.offers(relays.builders["titan"], await scene.next_block())})
        mined = await relay.build()
    assert mined == [hash_of("0x" + scene.attack.hex())]


@pytest.mark.parametrize("name", [name for name, one in shipped().items() if one.transfer_to is not None])
async def test_a_bid_may_be_a_transfer_to_the_builder_after_the_pause(scene: Scene, name: str) -> None:
    async with Relay(name, scene.rpc) as relay, ours({name: relay}) as relays:
        one = relays.builders[name]
        assert one.transfer_to is not None
        before = await scene.rpc.balance(one.transfer_to)
        bid = scene.sign(scene.guardian, one.transfer_to, "0x", nonce=1, value=ETHER // 10)
        bodies = bundles(
            one,
            scene.pause,
            scene.attack,
            hash_of("0x" + scene.attack.hex()),
            block=await scene.next_block(),
            replacement=RESPONSE,
            sequence=1,
            tail=[bid],
        )
        await relays.send({name: bodies})
        mined = await relay.build()
    assert mined[:3] == [hash_of("0x" + raw.hex()) for raw in (scene.pause, bid, scene.attack)]
    assert await scene.rpc.balance(one.transfer_to) == before + ETHER // 10
    assert await scene.is_paused()


@pytest.mark.parametrize("name", [name for name, one in shipped().items() if one.private is not None])
async def test_a_private_transaction_is_included_without_the_pool_having_it(scene: Scene, name: str) -> None:
    await scene.rpc.call("anvil_dropAllTransactions")
    async with Relay(name, scene.rpc) as relay, ours({name: relay}) as relays:
        body = private_transaction(relays.builders[name], scene.pause, await scene.next_block() + 24)
        assert body is not None
        (answer,) = (await relays.send({name: [body]}))[name]
        assert (answer.kind, answer.tx_hash) in (
            (Reply.ACCEPTED, hash_of("0x" + scene.pause.hex())),
            (Reply.ACCEPTED, None),
        )
        assert (await scene.rpc.call("txpool_status"))["pending"] == "0x0"
        await relay.build()
    assert await scene.is_paused()


async def test_a_relay_that_says_yes_and_does_nothing_leaves_the_attack_first(scene: Scene) -> None:
    """Why a yes is no inclusion: the watch looks at blocks."""
    async with Relay("titan", scene.rpc) as relay, ours({"titan": relay}) as relays:
        relay.lazy = True
        answers = await relays.send(
            {"titan": scene.offers(relays.builders["titan"], await scene.next_block())}
        )
        assert {answer.kind for answer in answers["titan"]} == {Reply.ACCEPTED}
        assert await relay.build() == [hash_of("0x" + scene.attack.hex())]
    assert not await scene.is_paused()


# --- what relays do


class Forged(Identity):
    """Says that it is somebody else."""

    def header(self, body: bytes) -> str:
        return "0x" + "11" * 20 + super().header(body)[42:]


class Stale(Identity):
    """Signs another body."""

    def header(self, body: bytes) -> str:
        return super().header(body + b" ")


@pytest.mark.parametrize("liar", [Forged, Stale])
async def test_a_wrong_signature_is_refused(liar: type[Identity]) -> None:
    async with Relay("buildernet") as relay:
        one = builder("buildernet", url=Url(relay.url))
        async with Relays([one], liar(PrivateKey(b"\x09" * 32))) as relays:
            body = bundles(one, b"\x02", None, None, block=1, replacement=RESPONSE, sequence=1, blocks=1)
            (answer,) = (await relays.send({"buildernet": body}))["buildernet"]
            assert answer.kind is Reply.REFUSED
            assert "signature" in answer.message
            (health,) = await relays.check()
            assert not health.up
    assert relay.signers == []


async def test_a_relay_that_is_down_or_slow_does_not_hold_up_the_others() -> None:
    names = ["titan", "buildernet", "quasar"]
    async with AsyncExitStack() as stack:
        relays = {name: await stack.enter_async_context(Relay(name)) for name in names}
        down = Relay("beaverbuild")
        async with down:
            pass
        relays["beaverbuild"] = down
        relays["quasar"].free.clear()
        sender = await stack.enter_async_context(ours(relays, timeout_s=0.5))
        bodies = {
            name: bundles(
                sender.builders[name], b"\x02", None, None, block=1, replacement=RESPONSE, sequence=1
            )
            for name in relays
        }
        began = time.monotonic()
        sending = asyncio.create_task(sender.send(bodies))
        while any(len(relays[name].offers) < 3 for name in ("titan", "buildernet")):
            assert time.monotonic() - began < 5
            await asyncio.sleep(0.001)
        assert not sending.done(), "the slow one is still waited for, and the others have theirs"
        answers = await sending
        assert time.monotonic() - began < 3
        kinds = {name: {answer.kind for answer in each} for name, each in answers.items()}
        health = {one.builder: one for one in await sender.check()}
    assert kinds == {
        "titan": {Reply.ACCEPTED},
        "buildernet": {Reply.ACCEPTED},
        "quasar": {Reply.NO_ANSWER},
        "beaverbuild": {Reply.NO_ANSWER},
    }
    assert {name for name, one in health.items() if one.up} == {"titan", "buildernet"}
    assert all(one.rtt_s is not None for one in health.values() if one.up)
    assert "127.0.0.1" not in str(answers), "no URL in what is told"


async def test_connections_stay_open_and_are_no_more_than_a_builder_allows() -> None:
    async with Relay("buildernet") as relay, ours({"buildernet": relay}) as relays:
        one = relays.builders["buildernet"]
        for sequence in range(1, 6):
            body = bundles(
                one, b"\x02", b"\x02\x02", "0x" + "ab" * 32, block=1, replacement=RESPONSE, sequence=sequence
            )
            await relays.send({"buildernet": body})
            await relays.check()
        assert len(relay.requests) == 5 * 7
        assert relay.connections <= one.connections == 3


async def test_an_unknown_field_is_refused_as_the_real_ones_do() -> None:
    """The relays here are strict: what they accept in these tests is what the documentation has."""
    async with Relay("flashbots") as relay, ours({"flashbots": relay}) as relays:
        odd = builder("flashbots", dropping="droppingTxHashes")
        body = bundles(
            odd, b"\x02", b"\x02", "0x" + "ab" * 32, block=1, replacement=RESPONSE, sequence=1, blocks=1
        )
        answers = (await relays.send({"flashbots": body}))["flashbots"]
    assert [answer.kind for answer in answers] == [Reply.ACCEPTED, Reply.REFUSED]
    assert answers[1].message == "unknown field droppingTxHashes"


async def test_requests_to_a_builder_that_wants_signatures_need_an_identity() -> None:
    with pytest.raises(
        ConfigError, match=r"flashbots: requests are to be signed; set defense\.broadcast\.identity"
    ):
        Relays([builder("flashbots"), builder("titan")], None)


async def test_a_token_goes_with_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDER_TOKEN", "token-0123456789\n")
    heard: list[httpx2.Headers] = []

    def hear(_builder: Builder) -> httpx2.AsyncBaseTransport:
        def answer(request: httpx2.Request) -> httpx2.Response:
            heard.append(request.headers)
            return httpx2.Response(200, json={"id": 1, "result": 200})

        return httpx2.MockTransport(answer)

    one = builder("blockrazor", token=Secret("env:BUILDER_TOKEN"))
    async with Relays([one], IDENTITY, transport=hear) as relays:
        await relays.send({"blockrazor": [b"{}"]})
    assert heard[0]["authorization"] == "token-0123456789"
    assert "x-flashbots-signature" not in heard[0], "nobody asked for it"
    assert "0123456789" not in repr(one)


async def test_too_large_an_answer_is_none() -> None:
    def endless(_builder: Builder) -> httpx2.AsyncBaseTransport:
        return httpx2.MockTransport(lambda _request: httpx2.Response(200, content=b"x" * ((1 << 20) + 1)))

    async with Relays([builder("titan")], None, transport=endless) as relays:
        (answer,) = (await relays.send({"titan": [b"{}"]}))["titan"]
    assert answer.kind is Reply.NO_ANSWER
    assert answer.message == "answers with more than 1 MiB"
