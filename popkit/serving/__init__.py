"""A case replayed as the peers it was collected from: a Solana RPC node and the worker, on
loopback.

`Replay` and `WorkerReplay` answer without a network; `server` is a thin shell over them. Nothing
here judges, and nothing is ever written into a case. What the case does not hold is said, never
made up.
"""
