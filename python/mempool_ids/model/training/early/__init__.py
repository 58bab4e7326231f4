"""The early models: over a contract's code, before its first call."""
