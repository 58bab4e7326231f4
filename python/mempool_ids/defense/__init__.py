"""From a detection to a paused contract. Money moves here: journal, caps and an armed mode come before what sends."""
