"""The demo: a real chain, a vault with a real hole, honest users, an attacker, an alert that comes first."""
