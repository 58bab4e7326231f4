"""Clef, go-ethereum's signer: building it once, setting it up without a terminal, and running it.

`python -m tests.clef` prints where it is, once it is there. Its version is pinned in tools/clef.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

from eth_account import Account

from mempool_ids.demo.node import Node
from mempool_ids.exceptions import NodeError
from tests.go_program import GoProgram

_MASTER = "a master password"
_PASSWORD = "a keystore password"


class ClefError(NodeError):
    """There is no Clef, or it did not start; the message says what to do."""


PROGRAM = GoProgram("clef", ClefError)


class Clef(Node):
    """A running Clef with one key, which answers as its rules say, as a context manager.

    Raises:
        ClefError: it cannot be set up, or does not come to listen.
    """

    error = ClefError
    listening = re.compile(r"HTTP endpoint opened +url=http://127\.0\.0\.1:(\d+)")

    def __init__(self, binary: Path, folder: Path, *, key: str, rules: str, chain_id: int) -> None:
        """`folder`: an empty one, for its files. `rules`: JavaScript, as docs/signers.md has it."""
        self._settings = folder / "clef"
        self._clef = binary
        keys = folder / "keystore"
        keys.mkdir()
        # Few rounds: Clef decrypts the file for each signature.
        keystore = Account.encrypt(key, _PASSWORD, kdf="scrypt", iterations=2)
        address = keystore["address"]
        (keys / f"UTC--2026-01-01T00-00-00.000000000Z--{address}").write_text(json.dumps(keystore))
        rule_file = folder / "rules.js"
        rule_file.write_text(rules)
        self._set_up(["--lightkdf"], ["init"], _MASTER, _MASTER)
        self._set_up([], ["setpw", f"0x{address.removeprefix('0x')}"], _PASSWORD, _PASSWORD, _MASTER)
        self._set_up([], ["attest", hashlib.sha256(rule_file.read_bytes()).hexdigest()], _MASTER)
        master = folder / "master"
        master.write_text(_MASTER + "\n")
        command = [
            *(
                str(binary),
                "--suppress-bootwarn",
                "--nousb",
                "--ipcdisable",
                "--auditlog",
                "",
                "--4bytedb-custom",
                "",
            ),
            *("--configdir", str(self._settings), "--keystore", str(keys), "--rules", str(rule_file)),
            *("--chainid", str(chain_id), "--http", "--http.addr", "127.0.0.1", "--http.port", "0"),
        ]
        # It reads the master password from its standard input.
        super().__init__(Path("/bin/sh"), ["-c", 'exec "$@" < "$0"', str(master), *command])

    def _set_up(self, options: list[str], command: list[str], *lines: str) -> None:
        done = subprocess.run(
            [self._clef, "--configdir", self._settings, "--suppress-bootwarn", *options, *command],
            input="".join(line + "\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if done.returncode != 0:
            raise ClefError(f"clef {command[0]}: {done.stdout[-300:]} {done.stderr[-300:]}")


if __name__ == "__main__":
    sys.exit(PROGRAM.main())
