"""New contracts: how much one looks like an attacker's and what calling it does (`detector`), whose money made it
(`funding`), and whether its maker attacked before (`labels`).
"""
