"""On the stream of `domains`, whose command and figures these are: other numbers of levels, smaller slow rates, and
levels that learn in context, whose periods are tokens.

    python -m experiments.domains_more

A level that learns in context takes its steps in held-out text too, from its learnt start and in each window anew; its
start is updated at every step of the optimizer. What single levels do is measured without steps in context.
"""

from dataclasses import replace

from experiments import domains
from experiments.domains import ONE, SIZE, SLOW
from experiments.experiment import Arm, main

EXPERIMENT = replace(
    domains.EXPERIMENT,
    name="domains_more",
    question="On a stream of domains, what do more or fewer levels keep, smaller slow rates, and periods in tokens?",
    arms=(
        Arm("two levels, periods 1 16", SIZE | dict(periods=(1, 16)), minutes=1.8),
        Arm("four levels, periods 1 4 16 64", SIZE | dict(periods=(1, 4, 16, 64)), minutes=1.9),
        Arm("periods 1 4 16, rates over sqrt(period)", SLOW | dict(rate_power=-0.5), minutes=1.8),
        Arm("periods 1 1 1, fastest: 64 tokens, rate 0.1", ONE | dict(in_context=(("cms-3", 64, 0.1),)), minutes=5.3),
        Arm("periods 1 1 1, fastest: 64 tokens, rate 1", ONE | dict(in_context=(("cms-3", 64, 1.0),)), minutes=5.3),
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
