"""Train, evaluate and export the classifier: `mempool-ids model train|eval|card`.

Needs `pip install mempool-ids[train]`; the sensor needs none of it.
"""
