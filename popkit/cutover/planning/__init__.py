"""What a plan is made from: the case, the cluster, the worker, the money, the people, and the steps
that follow.
"""
