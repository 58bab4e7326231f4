"""`python -m mempool_ids` is `mempool-ids`."""

from mempool_ids.cli import main

main()
