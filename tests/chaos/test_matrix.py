"""Every fault × every state of a turn: nothing accepted is lost, nothing seen changes, nothing comes twice."""

import random
from collections import Counter

import pytest

from chaos.faults import FAULTS
from chaos.packets import PacketWorld
from chaos.pair import PairWorld
from chaos.turns import STATES
from chaos.world import Round, World

EACH = 4  # turns in each state at once
RUNNING = len(STATES) - 2  # of them take a place in a worker
ROUNDS_MAX = 4  # for each hit that is wanted


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_state_of_a_turn_survives(fault: str, make_world, rng: random.Random, hits: dict[str, Counter],
                                        hits_min: int) -> None:
    kind = {"redis promoted": PairWorld, "packets dropped": PacketWorld}.get(fault, World)
    world = make_world(kind.__name__, lambda folder: kind(folder, EACH * RUNNING // 2))
    cells = hits.setdefault(fault, Counter())
    for _ in range(ROUNDS_MAX * hits_min):
        r = Round(world, rng, EACH)
        r.set_up()
        ends = FAULTS[fault](r)
        world.restart()
        world.wait_whole()
        if ends:
            r.check(ends)
        else:
            r.check()
        cells.update(r.hits)
        if all(cells[state] >= hits_min for state in STATES):
            return
    raise AssertionError(f"{fault}: cells that were hardly hit: {dict(cells)}")
