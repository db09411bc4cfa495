"""The judge of the judge: worlds of known truth, their evidence taken apart, and what an answer may
be then.

timed     a world that remembers every moment of itself plays     what happens in it: steps, and the
kinds of worlds that they make truth     what was so at a moment: verdict, causes, people parts
the case that a collector makes when each part is of its own moment changes   parts taken away, cut,
doubled, contradicted, forged allowed   what an answer may be then, and why run       many worlds,
the failures of each kind once, the smallest steps that show it

`python -m tests.worlds --worlds 5000 --seed 1` runs many; the share in the tests is small and
fixed.
"""
