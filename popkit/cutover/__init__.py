"""From a broken grant to a verified new one: plan, steps, signing, sending, journal and record.

A plan is a canonical file that never changes; a step looks, acts on a confirmation and looks again;
the journal decides what was done. Nothing here touches the old chain's records, and nothing is sent
without a confirmation.
"""
