"""Who signs: a key in this process, or another program that has it. Nothing that was not checked is ever returned."""

from mempool_ids.config import defense as sections
from mempool_ids.defense.signers.base import Signer, SignerError
from mempool_ids.defense.signers.environment import EnvironmentSigner
from mempool_ids.defense.signers.jsonrpc import JsonRpcSigner
from mempool_ids.defense.signers.keystore import KeystoreSigner
from mempool_ids.defense.signers.kms import KmsSigner
from mempool_ids.defense.signers.local import LocalSigner
from mempool_ids.defense.signers.vault import VaultSigner

__all__ = [
    "EnvironmentSigner",
    "JsonRpcSigner",
    "KeystoreSigner",
    "KmsSigner",
    "LocalSigner",
    "Signer",
    "SignerError",
    "VaultSigner",
    "signer",
]


def signer(section: sections.Signer) -> Signer:
    """The signer of a section `signer` or `backup`, not open yet."""
    match section:
        case sections.KeystoreSigner():
            return KeystoreSigner(section)
        case sections.EnvironmentSigner():
            return EnvironmentSigner(section)
        case sections.JsonRpcSigner():
            return JsonRpcSigner(section)
        case sections.KmsSigner():
            return KmsSigner(section)
        case sections.VaultSigner():
            return VaultSigner(section)
