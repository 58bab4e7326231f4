"""Where responses are sent: the pools of RPC endpoints, and builders."""
