"""How far an alert can be trusted: on recorded blocks, where every alert is false, and on real attacks beside honest
uses of the same contracts."""
