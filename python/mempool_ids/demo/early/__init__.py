"""The demo's second act: a contract is seen through before its first call; the attack is never seen pending."""
