"""How a contract is named: by people, in orders, and on the command line."""

import pytest

from mempool_ids.defense.armed import Call
from mempool_ids.defense.guardian import Protected
from mempool_ids.defense.protected import find
from mempool_ids.exceptions import ConfigError

ADDRESS = "0x" + "ab" * 20
CALL = Call(ADDRESS, bytes.fromhex("8456cb59"))
VAULT = Protected("Vault", ADDRESS, CALL, None, None)
OTHER = Protected("VAULT", "0x" + "cd" * 20, CALL, None, None)


@pytest.mark.parametrize("name", ["Vault", "vault", "VAULT", ADDRESS, ADDRESS.upper().replace("X", "x")])
def test_names_and_addresses_are_known_in_either_case(name: str) -> None:
    assert find({"Vault": VAULT}, name) is VAULT


def test_of_two_that_differ_by_case_the_very_one_is_meant() -> None:
    assert find({"Vault": VAULT, "VAULT": OTHER}, "VAULT") is OTHER


def test_a_stranger_is_told_who_is_known() -> None:
    with pytest.raises(ConfigError, match="no contract 'Pool' has a pause; known: Vault"):
        find({"Vault": VAULT}, "Pool")
    with pytest.raises(ConfigError, match="known: none"):
        find({}, "Pool")
