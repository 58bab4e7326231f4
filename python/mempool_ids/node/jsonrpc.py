"""JSON-RPC 2.0 without a socket: a request as bytes, what an answer says, and what can go wrong."""

from collections.abc import Sequence
from typing import Any

import orjson

from mempool_ids.exceptions import NodeError

# Of what a node says, as much as is told to people.
_SHOWN = 200


class RpcError(NodeError):
    """A node that was asked gave no result. Neither message nor `reason` ever has its URL.

    Attributes:
        reason: what went wrong, without the method.
    """

    def __init__(self, reason: str, method: str | None = None) -> None:
        super().__init__(f"{method}: {reason}" if method else reason)
        self.reason = reason


class Refused(RpcError):
    """The node answered with an error, or with nothing that is an answer.

    Attributes:
        code: of the error, if it had one.
    """

    def __init__(self, reason: str, method: str | None = None, code: int | None = None) -> None:
        super().__init__(reason, method)
        self.code = code


class Unanswered(RpcError):
    """No answer in time. What was asked may be done all the same."""


class Unreached(RpcError):
    """There was no connection: not a byte of what was asked went out."""


def request(number: int, method: str, params: Sequence[Any]) -> bytes:
    """The request with that id, as JSON."""
    return orjson.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def message(method: str, raw: bytes | str) -> dict[str, Any]:
    """What a node sent: an answer, or a notification.

    Raises:
        Refused: it is no JSON object.
    """
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refused("answers with something else than JSON", method) from None
    if not isinstance(said, dict):
        raise Refused("answers with something else than JSON-RPC", method)
    return said


def answers(said: dict[str, Any], number: int) -> bool:
    """Whether a message is the answer to that request, which was the last; some nodes make texts of ids."""
    if said.get("id") is None:  # a notification, or an error about what the node could not read
        return said.get("error") is not None
    return said["id"] in (number, str(number))


def result(method: str, answer: dict[str, Any]) -> Any:
    """The result, which may be None.

    Raises:
        Refused: the answer is an error, or has neither.
    """
    error = answer.get("error")
    if error is None:
        if "result" not in answer:
            raise Refused("answers with something else than JSON-RPC", method)
        return answer["result"]
    if not isinstance(error, dict):
        raise Refused(str(error)[:_SHOWN], method)
    code = error.get("code")
    raise Refused(str(error.get("message", error))[:_SHOWN], method, code if isinstance(code, int) else None)
