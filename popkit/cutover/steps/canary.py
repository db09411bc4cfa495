from popkit.cutover.steps.base import Step


class Canary(Step):
    pass
