"""The clock that says whose turn it is."""


class Clock:
    """Which levels of the outer optimizer are due at a step (eq. 71); steps count from 1.

    A level fires once `period` steps have passed since it last fired, so a period that
    changes while training counts from the last update, and none is skipped or repeated.

    Raises ValueError for a period below 1 or a level it does not know.
    """

    def __init__(self, periods: dict[str, int]) -> None:
        self.periods: dict[str, int] = {}
        self.fired: dict[str, int] = dict.fromkeys(periods, 0)
        for name, period in periods.items():
            self.set_period(name, period)

    def set_period(self, name: str, period: int) -> None:
        """Change a level's period from now on."""
        if name not in self.fired:
            raise ValueError(f"there is no level {name!r} here: choose one of {', '.join(self.fired)}")
        if not isinstance(period, int) or period < 1:
            raise ValueError(f"the period of {name} is {period!r}: give a whole number of steps, 1 or more")
        self.periods[name] = period

    def waited(self, name: str, step: int) -> int:
        """Steps since the level last fired, this one included."""
        return step - self.fired[name]

    def due(self, step: int) -> tuple[str, ...]:
        """Levels that fire at this step, in the order they were given."""
        return tuple(name for name, period in self.periods.items() if self.waited(name, step) >= period)

    def mark(self, names: tuple[str, ...], step: int) -> None:
        """Note that these levels fired at this step."""
        self.fired |= dict.fromkeys(names, step)

    def state_dict(self) -> dict[str, dict[str, int]]:
        return {"periods": dict(self.periods), "fired": dict(self.fired)}

    def load_state_dict(self, state: dict[str, dict[str, int]]) -> None:
        self.periods, self.fired = dict(state["periods"]), dict(state["fired"])
