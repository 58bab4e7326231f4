"""A fire drill: from an attack, real or supposed, to the very rung that would be sent, on the chain's state in memory.

It asks nodes, signs nothing, journals nothing and sends nothing.
"""

from mempool_ids.defense.drill.result import Choice, Drill, Drilled, Moment
from mempool_ids.defense.drill.run import drill

__all__ = ["Choice", "Drill", "Drilled", "Moment", "drill"]
