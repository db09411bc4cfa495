"""The whole system alive on loopback: the program, the worker, two nodes, faults and incidents, to
rehearse in.

Nothing else in the package imports this room. Nothing here judges: what was done is the drill's to
know, what popkit makes of the evidence is judged against it.
"""
