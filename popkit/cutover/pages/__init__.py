"""What a person sees: the plan, the steps and where a run stands, for a terminal, a notebook and a
file.
"""
