"""Checks of the defense: would the pause of each contract work now, and what would it cost?"""

from mempool_ids.config import IDSConfig, IDSMode
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.exceptions import MempoolIdsError


async def check_defense(config: IDSConfig) -> list[Finding]:
    """Nothing where no contract has a pause. Signs nothing, sends nothing, and writes nothing into the journal."""
    if not any(contract.pause or contract.rescue for contract in config.contracts):
        if config.operational_mode is not IDSMode.ACTIVE_DEFENSE:
            return []
        return [Finding("defense", "", Status.FAILED, "no contract has a `pause`: nothing to defend with")]
    try:
        # Here, as it needs what only a defense needs.
        from mempool_ids.diagnostics.responses import check_responses

        return await check_responses(config)
    except MempoolIdsError as error:
        return [Finding("defense", "", Status.FAILED, str(error))]
    except ImportError as error:
        detail = f"{error.name} is not installed: pip install 'mempool-ids[defense]'"
        return [Finding("defense", "", Status.FAILED, detail)]
