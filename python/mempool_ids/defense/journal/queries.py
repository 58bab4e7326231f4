"""What several queries are made of."""

from sqlalchemy import func, select

from mempool_ids.defense.action import ENDS
from mempool_ids.defense.armed import PAYMENT
from mempool_ids.defense.journal.tables import actions, armed, transitions

# SQLite's limit on variables in one statement is 32,766; chunks stay far below.
CHUNK = 500

# What was sent says most exactly which nonce it spends: its own bytes.
NONCE = func.coalesce(armed.c.nonce, transitions.c.nonce)
GUARDIAN = func.lower(func.coalesce(armed.c.guardian, transitions.c.guardian))
WITH_BYTES = transitions.outerjoin(armed, armed.c.tx_hash == transitions.c.tx_hash).join(
    actions, actions.c.action_id == transitions.c.action_id
)
# Signed for one bundle or more: nothing else of a journal is signed to pay somebody.
PAID_TO_BUILDERS = armed.c.rung == PAYMENT
_LAST = select(func.max(transitions.c.seq)).group_by(transitions.c.action_id)
# Actions whose last change is an end.
OVER = select(transitions.c.action_id).where(
    transitions.c.seq.in_(_LAST), transitions.c.state.in_([state.value for state in ENDS])
)
