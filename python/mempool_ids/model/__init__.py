"""Model folders, running a model from Python, and training one."""
