"""The demo: a real chain, a vault with a real hole, honest users, an attacker, and a pause that comes first."""
