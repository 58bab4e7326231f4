"""What is signed is what was configured, never unpauses, and names nobody whom the configuration does not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from mempool_ids.config.abi import read_abi
from mempool_ids.config.contracts import Contract, Rescue
from mempool_ids.defense.armed import Call
from mempool_ids.defense.calls import (
    KNOWN_CHECKS,
    KNOWN_PAUSES,
    check_call,
    confirm_against,
    is_paused,
    pause_call,
    rescue_call,
    unpauses,
)
from mempool_ids.defense.encoding import Signature, functions
from mempool_ids.exceptions import ConfigError
from tests.scenarios.stage import path_of

VAULT, TOKEN, TREASURY, OTHER = ("0x" + digits * 20 for digits in ("5f", "70", "7e", "0a"))
BY = "0x" + "bb" * 20

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


def contract(call: str = "pause()", *args: Any, assets: tuple[str, ...] = (), **pause: Any) -> Contract:
    entry = {"call": call, "args": args, **pause}
    return Contract.model_validate({"name": "Vault", "address": VAULT, "assets": assets, "pause": entry})


def function(name: str, *types: str, mutability: str = "nonpayable", **more: Any) -> dict[str, Any]:
    inputs = [{"name": "", "type": kind} for kind in types]
    return {"type": "function", "name": name, "inputs": inputs, "stateMutability": mutability, **more}


ABI = [
    function("pauseAll"),
    function("setPaused", "bool"),
    function("paused", mutability="view", outputs=[{"type": "bool"}]),
    {"type": "event", "name": "Paused", "inputs": []},
    {"type": "constructor", "inputs": []},
]


@pytest.mark.parametrize("signature", {**KNOWN_PAUSES, **KNOWN_CHECKS})
def test_a_known_selector_is_that_of_its_signature(signature: str) -> None:
    assert {**KNOWN_PAUSES, **KNOWN_CHECKS}[signature] == keccak(text=signature)[:4]
    assert Signature.parse(signature).selector == keccak(text=signature)[:4]
    assert str(Signature.parse(signature)) == signature


@pytest.mark.parametrize(
    ("call", "args", "words"),
    [
        ("pause()", (), []),
        ("setPaused(bool)", (True,), [1]),
        ("setPaused(bool)", ("true",), [1]),
        ("pause(uint256)", (str(2**256 - 1),), [2**256 - 1]),
        ("pause(uint)", ("0xff",), [255]),
        ("freeze(int8)", (-1,), [2**256 - 1]),
        ("setPoolPause(bool)", (True,), [1]),
        ("pause(bool,bool,bool,bool,bool)", (True, True, True, True, False), [1, 1, 1, 1, 0]),
        ("pauseMarket(address)", (TOKEN,), [int(TOKEN, 16)]),
        ("pausePool(bytes32)", ("0x" + "ab" * 32,), [int("ab" * 32, 16)]),
    ],
)
def test_arguments_are_encoded_as_the_abi_has_them(
    call: str, args: tuple[Any, ...], words: list[int]
) -> None:
    made = pause_call(contract(call, *args))
    assert made.to == VAULT
    assert made.value == 0
    assert made.data[4:] == b"".join(word.to_bytes(32, "big") for word in words)


@given(
    st.booleans(),
    st.integers(0, 2**128 - 1),
    st.integers(-(2**255), 2**255 - 1),
    addresses,
    st.binary(min_size=8, max_size=8),
    st.binary(max_size=100),
    st.text(max_size=40),
)
def test_what_is_encoded_is_decoded_to_what_was_given(
    flag: bool, number: int, signed: int, address: str, few: bytes, many: bytes, text: str
) -> None:
    signature = Signature.parse("stop(bool,uint128,int,address,bytes8,bytes,string)")
    arguments = [flag, str(number), signed, to_checksum_address(address), "0x" + few.hex(), "0x" + many.hex()]
    data = signature.calldata([*arguments, text])
    assert data[:4] == signature.selector
    assert decode(signature.types, data[4:]) == (flag, number, signed, address, few, many, text)


@given(st.integers(min_value=1, max_value=32).map(lambda n: n * 8), st.integers(-(2**260), 2**260))
def test_an_integer_either_fits_or_is_refused(bits: int, number: int) -> None:
    for kind, least, most in (
        (f"uint{bits}", 0, 2**bits - 1),
        (f"int{bits}", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
    ):
        signature = Signature.parse(f"f({kind})")
        for argument in (number, str(number)):
            if least <= number <= most:
                assert decode([kind], signature.calldata([argument])[4:]) == (number,)
            else:
                with pytest.raises(ConfigError, match=f"{bits} bits"):
                    signature.calldata([argument])


@pytest.mark.parametrize(
    ("call", "args", "says"),
    [
        ("pause()", (True,), "takes 0 arguments, not 1"),
        ("setPaused(bool)", (), "takes 1 arguments, not 0"),
        ("setPaused(bool)", (1,), "true or false"),
        ("setPaused(bool)", ("yes",), "true or false"),
        ("pause(uint256)", (True,), "integer"),
        ("pause(uint256)", ("1e18",), "integer"),
        ("pause(uint256)", ("9" * 5_000,), "integer"),
        ("pause(uint8)", (256,), "8 bits"),
        ("pause(address)", (TOKEN[:-1],), "address"),
        ("pause(address)", (5,), "address"),
        ("pause(bytes4)", ("0x112233",), "4 bytes, not 3"),
        ("pause(bytes)", ("0x1",), "hexadecimal"),
        ("pause(string)", (7,), "cannot give"),
        ("pause(address[])", (TOKEN,), "cannot give"),
        ("pause((uint256))", (1,), "cannot give"),
        ("pause(unit256)", (1,), "no function"),
        ("pause(function)", ("0x" + "11" * 24,), "no function"),
        ("1pause()", (), "no function"),
        ("pause()()", (), "no function"),
    ],
)
def test_what_does_not_fit_is_refused(call: str, args: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        pause_call(contract(call, *args))


def test_a_mistyped_address_is_seen_by_its_checksum() -> None:
    good = to_checksum_address("0x" + "5aae" * 10)
    at = next(n for n, letter in enumerate(good) if n > 1 and letter.isalpha())
    bad = good[:at] + good[at].swapcase() + good[at + 1 :]
    pause_call(contract("pause(address)", good))
    with pytest.raises(ConfigError, match="checksum"):
        pause_call(contract("pause(address)", bad))


def test_a_contract_without_a_pause_has_no_call() -> None:
    bare = Contract.model_validate({"name": "Vault", "address": VAULT})
    for make in (pause_call, check_call):
        with pytest.raises(ConfigError, match="Vault has no pause"):
            make(bare)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("pauseall()", r"has no pauseall\(\); did you mean pauseAll\(\)\?"),
        ("setPaused()", r"did you mean setPaused\(bool\)\?"),
        ("setPaused(uint8)", r"did you mean setPaused\(bool\)\?"),
        ("pause()", r"has no pause\(\).*pauseAll\(\)"),
        ("zzz()", r"has no zzz\(\) \(it has pauseAll\(\), setPaused\(bool\)\)"),
        ("paused()", "is a view"),
    ],
)
def test_a_pause_that_the_abi_does_not_have_is_refused_with_what_it_may_have_meant(
    call: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        pause_call(contract(call), ABI)


def test_what_the_abi_has_is_confirmed() -> None:
    confirm_against(ABI, "setPaused(bool)")
    confirm_against(ABI, "paused()", view=True)
    confirm_against([function("pause", "uint256")], "pause( uint )")
    # Solidity before 0.5 said no more.
    confirm_against([{"type": "function", "name": "pause", "inputs": [], "constant": False}], "pause()")
    struct = function("pause", "tuple[]")
    struct["inputs"][0]["components"] = [{"type": "address"}, {"type": "uint8"}]
    confirm_against([struct], "pause((address,uint8)[])")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (function("paused"), "no view"),
        (function("paused", mutability="view", outputs=[]), "answers nothing"),
        (function("isPaused", mutability="view"), r"did you mean isPaused\(\)\?"),
    ],
)
def test_a_check_that_cannot_be_asked_is_refused(entry: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=rf"pause\.check: .*{says}"):
        check_call(contract(check="paused()"), [entry])


def test_a_check_asks_the_contract_with_its_arguments() -> None:
    asked = check_call(contract(check="paused(uint8)", check_args=(3,)))
    assert asked == Call(VAULT, keccak(text="paused(uint8)")[:4] + encode(["uint8"], [3]))
    assert check_call(contract()) is None


@given(st.binary(max_size=128))
def test_anything_but_zero_is_paused(answer: bytes) -> None:
    assert is_paused(answer) == (int.from_bytes(answer, "big") != 0)


def test_no_answer_says_nothing() -> None:
    assert not is_paused(b"")
    assert not is_paused(bytes(32))
    assert is_paused(bytes(31) + b"\x01")


UNPAUSING = [
    ("unpause()", ()),
    ("unPause()", ()),
    ("unpauseAll()", ()),
    ("unpause(uint256)", (1,)),
    ("unkill_me()", ()),
    ("unfreezeReserve(address)", (TOKEN,)),
    ("resume()", ()),
    ("resumeDeposits()", ()),
    ("setPaused(bool)", (False,)),
    ("setPaused(address,bool)", (TOKEN, False)),
    ("setDepositsPaused(bool)", (False,)),
    ("setEmergencyShutdown(bool)", (False,)),
    ("setPoolPause(bool)", (False,)),
    ("setReservePause(address,bool,uint40)", (TOKEN, False, 1)),
    ("setTargetClosed(address,bool)", (TOKEN, False)),
    ("pause(bool,bool,bool,bool,bool)", (False,) * 5),
    ("pause(uint256)", (0,)),
    ("toggleFreeze(bool)", (False,)),
    ("setUnpaused(bool)", (True,)),
    ("force_unpause()", ()),
]
BY_NAME_ALONE = {
    "unfreezeReserve(address)",
    "resumeDeposits()",
    "setDepositsPaused(bool)",
    "toggleFreeze(bool)",
    "setUnpaused(bool)",
    "force_unpause()",
}
"""The bytes do not say it."""


@pytest.mark.parametrize("via", [None, f"pauser:{BY}", f"safe_module:{BY}", f"access_manager:{BY}"])
@pytest.mark.parametrize(("call", "args"), UNPAUSING)
def test_nothing_is_called_that_unpauses(call: str, args: tuple[Any, ...], via: str | None) -> None:
    with pytest.raises(ConfigError):
        pause_call(contract(call, *args, via=via))


@pytest.mark.parametrize(
    ("call", "args"),
    [
        *((signature, ()) for signature in ("pause()", "pauseAll()", "emergencyShutdown()", "kill_me()")),
        ("setPaused(bool)", (True,)),
        ("setPaused(address,bool)", (TOKEN, True)),
        ("setEmergencyShutdown(bool)", (True,)),
        ("setPoolPause(bool)", (True,)),
        ("pause(bool,bool,bool,bool,bool)", (False, True, False, False, False)),
        ("pause(uint256)", (1,)),
        ("pauseUntil(uint256)", (0,)),
        ("fundStop()", ()),
        # False stops, and nothing says otherwise.
        ("setDepositsEnabled(bool)", (False,)),
        ("setActive(bool)", (False,)),
    ],
)
def test_what_pauses_is_no_unpausing(call: str, args: tuple[Any, ...]) -> None:
    assert not unpauses(pause_call(contract(call, *args)))


@given(st.sampled_from([case for case in UNPAUSING if case[0] not in BY_NAME_ALONE]), st.integers(0, 6))
def test_a_call_that_unpauses_is_seen_within_others(case: tuple[str, tuple[Any, ...]], depth: int) -> None:
    text, args = case
    data = Signature.parse(text).calldata(args)
    module = Signature.parse("execTransactionFromModule(address,uint256,bytes,uint8)")
    execute = Signature.parse("execute(address,bytes)")
    for level in range(depth):
        if level % 2:
            data = module.selector + encode(module.types, [VAULT, 0, data, 0])
        else:
            data = execute.selector + encode(execute.types, [VAULT, data])
    assert unpauses(Call(BY, data))


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data: bytes) -> None:
    assert unpauses(Call(VAULT, data)) in (True, False)
    for signature in ("setPaused(bool)", "execute(address,bytes)", "pause(uint256)"):
        assert unpauses(Call(VAULT, keccak(text=signature)[:4] + data)) in (True, False)


def test_a_safe_calls_and_never_delegates() -> None:
    made = pause_call(contract(via=f"safe_module:{BY}"))
    signature = "execTransactionFromModule(address,uint256,bytes,uint8)"
    assert (made.to, made.value, made.data[:4]) == (BY, 0, keccak(text=signature)[:4])
    inner = decode(["address", "uint256", "bytes", "uint8"], made.data[4:])
    assert inner == (VAULT, 0, keccak(text="pause()")[:4], 0)


def test_a_pauser_is_told_the_target_and_no_calldata() -> None:
    made = pause_call(contract("setPaused(bool)", True, via=f"pauser:{BY}"))
    assert made == Call(BY, keccak(text="pause(address)")[:4] + encode(["address"], [VAULT]))


def test_a_manager_closes_the_contract_itself_and_no_other() -> None:
    via, close = f"access_manager:{BY}", "setTargetClosed(address,bool)"
    expected = Call(BY, keccak(text=close)[:4] + encode(["address", "bool"], [VAULT, True]))
    # The contract's own ABI has nothing to say on it.
    assert pause_call(contract(close, via=via), ABI) == expected
    assert pause_call(contract(close, VAULT, True, via=via)) == expected
    for args in ((OTHER, True), (VAULT, False), (VAULT,)):
        with pytest.raises(ConfigError):
            pause_call(contract(close, *args, via=via))
    asked = check_call(contract(close, via=via))
    assert asked == Call(BY, keccak(text="isTargetClosed(address)")[:4] + encode(["address"], [VAULT]))
    assert check_call(contract(close, via=via, check="isTargetClosed(address)")) == asked
    own = check_call(contract(close, via=via, check="paused()"), ABI)
    assert own == Call(VAULT, keccak(text="paused()")[:4])


def test_a_manager_carries_out_any_other_call() -> None:
    made = pause_call(contract("setPaused(bool)", True, via=f"access_manager:{BY}"), ABI)
    assert (made.to, made.data[:4]) == (BY, keccak(text="execute(address,bytes)")[:4])
    inner = keccak(text="setPaused(bool)")[:4] + encode(["bool"], [True])
    assert decode(["address", "bytes"], made.data[4:]) == (VAULT, inner)


def rescue(call: str, *args: Any, recipient: str = TREASURY) -> Rescue:
    return Rescue.model_validate({"call": call, "args": args, "recipient": recipient})


def test_a_rescue_goes_to_the_recipient() -> None:
    guarded = contract(assets=("native", TOKEN))
    sweep = rescue("sweep(address,address,uint256)", TOKEN, to_checksum_address(TREASURY), str(2**256 - 1))
    made = rescue_call(guarded, sweep, [function("sweep", "address", "address", "uint256")])
    assert made.to == VAULT
    assert decode(["address", "address", "uint256"], made.data[4:]) == (TOKEN, TREASURY, 2**256 - 1)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (rescue("sweep(address,address)", TOKEN, OTHER), "nobody else, not " + OTHER),
        (rescue("sweep(address,address)", TREASURY, OTHER), "nobody else"),
        (rescue("sweep(address,address)", TREASURY, TREASURY), "once"),
        (rescue("sweep(address)", TOKEN), "not nobody"),
        (rescue("sweep()"), "not nobody"),
        (rescue("sweep(address,bytes)", TREASURY, "0x"), "may name anybody"),
        (rescue("sweep(address)", "0x" + "00" * 20, recipient="0x" + "00" * 20), "nothing is safe"),
        (rescue("sweep(address)", VAULT, recipient=VAULT), "nothing is safe"),
        (rescue("sweep(address)", TOKEN, recipient=TOKEN), "nothing is safe"),
        (rescue("sweep(address,uint8)", TREASURY, 256), "8 bits"),
        (rescue("unpause(address)", TREASURY), "unpause"),
    ],
)
def test_a_rescue_that_may_go_elsewhere_is_refused(wanted: Rescue, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        rescue_call(contract(assets=("native", TOKEN)), wanted)


@given(st.lists(st.sampled_from([TOKEN, TREASURY, OTHER, VAULT]), max_size=4))
def test_a_rescue_names_its_recipient_once_and_else_only_assets(named: list[str]) -> None:
    wanted = rescue(f"sweep({','.join(['address'] * len(named))})", *named)
    allowed = named.count(TREASURY) == 1 and set(named) <= {TOKEN, TREASURY}
    guarded = contract(assets=(TOKEN,))
    if allowed:
        made = rescue_call(guarded, wanted)
        assert decode(["address"] * len(named), made.data[4:]) == tuple(named)
    else:
        with pytest.raises(ConfigError):
            rescue_call(guarded, wanted)


def test_an_abi_is_read_alone_or_from_an_artifact(tmp_path: Path) -> None:
    entries = read_abi(path_of("Vault"))
    assert {"pause()", "paused()", "withdraw(uint256)"} <= set(functions(entries))
    alone = tmp_path / "abi.json"
    alone.write_text(json.dumps(entries))
    assert read_abi(alone) == entries


@pytest.mark.parametrize("text", ["", "7", '{"no": "abi"}', "[1]", "\xff"])
def test_what_is_no_abi_is_refused_by_its_path(text: str, tmp_path: Path) -> None:
    path = tmp_path / "abi.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        read_abi(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_abi(tmp_path / "absent.json")


def test_what_the_wheel_ships_is_the_compiled_pauser() -> None:
    entries = functions(read_abi(path_of("Pauser")))
    assert {"pause(address)", "pauseMany(address[])", "callOf(address)"} <= set(entries)
