"""What `check` finds out before a sensor is relied on."""

from mempool_ids.diagnostics.defense import check_defense
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.diagnostics.nodes import check_nodes, suggestions
from mempool_ids.diagnostics.parts import check_parts

__all__ = ["Finding", "Status", "check_defense", "check_nodes", "check_parts", "suggestions"]
