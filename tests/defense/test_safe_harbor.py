"""A recovery address is what the protocol's agreement says of this contract on this chain, or there is none."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from mempool_ids.config import Contract
from mempool_ids.defense.armed import Call
from mempool_ids.defense.protected import check_recipients
from mempool_ids.defense.safe_harbor import REGISTRY, Ask, safe_harbor_recipient
from mempool_ids.exceptions import ConfigError

PROTOCOL, AGREEMENT, VAULT, RECOVERY = ("0x" + digits * 20 for digits in ("b0", "a9", "5f", "7e"))
CHECKSUMMED = to_checksum_address(RECOVERY)
# types/AgreementTypes.sol of version 3, written out.
DETAILS = (
    "(string,(string,string)[],(string,(string,uint8)[],string)[],"
    "(uint256,uint256,bool,uint8,string,uint256),string)"
)
OF_VERSION_2 = DETAILS.replace("(string,uint8)[],string)[]", "(string,uint8)[],uint256)[]")
TERMS = (10, 1_000_000, False, 0, "none", 0)

Chain = tuple[str, list[tuple[str, int]], object]


def agreement(*chains: Chain, kind: str = DETAILS) -> bytes:
    details = ("Vaults", [("Ann", "ann@example.org")], list(chains), TERMS, "ipfs://…")
    return encode([kind], [details])


def chain_of(answers: Mapping[tuple[str, str], bytes]) -> Ask:
    by_selector = {(to, keccak(text=text)[:4]): answer for (to, text), answer in answers.items()}

    async def ask(call: Call) -> bytes:
        return by_selector[call.to, call.data[:4]]

    return ask


def adopted(details: bytes, at: str = AGREEMENT) -> Ask:
    return chain_of(
        {
            (REGISTRY, "getAgreement(address)"): encode(["address"], [at]),
            (AGREEMENT, "getDetails()"): details,
        }
    )


async def test_the_agreement_names_the_recovery_address_of_the_chain() -> None:
    ask = adopted(
        agreement(
            ("0x" + "01" * 20, [(VAULT, 0)], "eip155:10"),
            (CHECKSUMMED, [("0x" + "02" * 20, 2), (to_checksum_address(VAULT), 0)], "eip155:1"),
        )
    )
    assert await safe_harbor_recipient(ask, PROTOCOL, VAULT, 1) == RECOVERY


@pytest.mark.parametrize(
    ("details", "says"),
    [
        (agreement((CHECKSUMMED, [(VAULT, 0)], "eip155:10")), "does not list"),
        (agreement((CHECKSUMMED, [(AGREEMENT, 2)], "eip155:1")), "does not list"),
        (agreement(), "does not list"),
        (agreement(("vault.eth", [(VAULT, 0)], "eip155:1")), "recovery address"),
        (agreement(("0x" + "00" * 20, [(VAULT, 0)], "eip155:1")), "recovery address"),
        (agreement((CHECKSUMMED, [(VAULT, 0)], 1), kind=OF_VERSION_2), "none of version 3"),
        (b"", "none of version 3"),
        (b"\xff" * 320, "none of version 3"),
    ],
)
async def test_an_agreement_that_does_not_say_it_gives_none(details: bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        await safe_harbor_recipient(adopted(details), PROTOCOL, VAULT, 1)


async def test_who_adopted_nothing_has_no_recovery_address() -> None:
    with pytest.raises(ConfigError, match="adopted no"):
        await safe_harbor_recipient(adopted(b"", at="0x" + "00" * 20), PROTOCOL, VAULT, 1)
    silent = chain_of({(REGISTRY, "getAgreement(address)"): b""})
    with pytest.raises(ConfigError, match="says nothing"):
        await safe_harbor_recipient(silent, PROTOCOL, VAULT, 1)


async def test_a_registry_that_reverts_is_told_by_who_asked() -> None:
    with pytest.raises(KeyError):
        await safe_harbor_recipient(chain_of({}), PROTOCOL, VAULT, 1)


@pytest.mark.parametrize(("recipient", "fits"), [(RECOVERY, True), ("0x" + "66" * 20, False)])
async def test_a_rescue_goes_where_the_agreement_wants_it_or_nowhere(recipient: str, fits: bool) -> None:
    rescue = {"call": "sweep(address)", "args": [recipient], "recipient": recipient, "protocol": PROTOCOL}
    contract = Contract.model_validate({"name": "Vault", "address": VAULT, "rescue": rescue})
    ask = adopted(agreement((CHECKSUMMED, [(VAULT, 0)], "eip155:1")))
    if fits:
        await check_recipients([contract], ask, 1)
    else:
        with pytest.raises(ConfigError, match=RECOVERY):
            await check_recipients([contract], ask, 1)
