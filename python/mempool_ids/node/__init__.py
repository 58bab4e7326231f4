"""Asking a node by JSON-RPC. The sensor asks from Rust; this is for the rest: `check`, and the demo."""

from mempool_ids.node.client import Client, HttpClient, WebSocketClient
from mempool_ids.node.jsonrpc import Refused, RpcError, Unanswered, Unreached

__all__ = ["Client", "HttpClient", "Refused", "RpcError", "Unanswered", "Unreached", "WebSocketClient"]
