"""Executes an exported block's transactions in py-evm, each on the state before it; run by a Python that has py-evm.

`python py_evm.py BLOCK.json` prints, for each transaction, microseconds and gas, or null where py-evm refuses it: it
checks nonces, and so refuses the second of a sender. Only execution is timed, not the recovery of the sender.
"""

import json
import sys
import time
from pathlib import Path

from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.exceptions import VMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.shanghai import ShanghaiVM
from eth_utils import ValidationError, decode_hex


def main(path: str) -> None:
    block = json.loads(Path(path).read_text())
    vm = {"Shanghai": ShanghaiVM, "Cancun": CancunVM}[block["fork"]]
    state = prestate(vm, block)
    answers = []
    for entry in block["transactions"]:
        transaction = vm.get_transaction_builder().decode(decode_hex(entry["raw"]))
        answers.append(execute(state, transaction))
    print(json.dumps(answers))


def prestate(vm, block):
    excess = block["excessBlobGas"]
    context = ExecutionContext(
        coinbase=decode_hex(block["coinbase"]),
        timestamp=int(block["timestamp"], 16),
        block_number=int(block["number"], 16),
        difficulty=0,
        mix_hash=decode_hex(block["mixHash"]),
        gas_limit=int(block["gasLimit"], 16),
        prev_hashes=(),
        chain_id=1,
        base_fee_per_gas=int(block["baseFeePerGas"], 16),
        excess_blob_gas=None if excess is None else int(excess, 16),
    )
    state = vm.get_state_class()(AtomicDB(), context, BLANK_ROOT_HASH)
    for address, account in block["alloc"].items():
        address = decode_hex(address)
        state.set_balance(address, int(account["balance"], 16))
        state.set_nonce(address, int(account["nonce"], 16))
        if account["code"]:
            state.set_code(address, decode_hex(account["code"]))
        for slot, value in account["storage"].items():
            state.set_storage(address, int(slot, 16), int(value, 16))
    state.lock_changes()
    state.persist()
    return state


def execute(state, transaction):
    transaction.sender  # noqa: B018  (it is cached)
    snapshot = state.snapshot()
    try:
        start = time.perf_counter()
        computation = state.apply_transaction(transaction)
        seconds = time.perf_counter() - start
    except (ValidationError, VMError):
        return None
    finally:
        state.revert(snapshot)
    used = transaction.gas - computation.get_gas_remaining()
    refund = min(computation.get_gas_refund(), used // 5)
    return seconds * 1e6, used - refund


if __name__ == "__main__":
    main(sys.argv[1])
