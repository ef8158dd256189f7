"""The simulation of a run over many machines: no page is lost, and where nothing goes wrong it is plain arithmetic."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import pytest

simulated: Any = importlib.import_module("scripts.simulate_cluster")
World = simulated.World

IDEAL = World(
    cores=4, page_seconds=0.5, spread=0.0, start_seconds=0.0, name_seconds=0.0, driver_seconds=0.0, table_seconds=0.0,
    merge_seconds=0.0, slow_share=0.0, mtbf_hours=1e12, latency=0.0, store_rate=1e12, refused=0.0,
)  # fmt: skip
WAYS = ("ray", "shards")


@pytest.mark.parametrize("nodes", [1, 10, 100])
def test_where_nothing_goes_wrong_it_is_arithmetic(nodes: int) -> None:
    pages = 100_000
    found = simulated.simulate(IDEAL, pages, nodes, "ray")
    assert found.ideal == pytest.approx(pages * 0.5 / 4 / nodes)
    assert found.seconds == pytest.approx(found.ideal, abs=2 * 0.5)  # the last pages do not fill all cores
    assert (found.read, found.failed, found.again, found.deaths) == (pages, 0, 0, 0)
    parts = simulated.simulate(IDEAL, pages, nodes, "shards")
    assert found.ideal <= parts.seconds + 1 < found.ideal * 1.2 + 2  # parts are not of one size


@pytest.mark.parametrize("way", WAYS)
def test_no_page_is_lost_when_machines_die(way: str) -> None:
    world = replace(IDEAL, mtbf_hours=0.5, replaced_seconds=60.0, slow_share=0.2, spread=0.5, refused=0.4)
    found = simulated.simulate(world, 200_000, 20, way, seed=3)
    assert found.deaths > 20
    assert found.read + found.failed == 200_000
    assert found.failed > 0  # a request failed six times
    assert 0 < found.again <= found.deaths * world.cores
    assert found.seconds > found.ideal
    assert found == simulated.simulate(world, 200_000, 20, way, seed=3)
    assert found != simulated.simulate(world, 200_000, 20, way, seed=4)


def test_one_driver_feeds_so_many_documents_a_second() -> None:
    world = replace(IDEAL, driver_seconds=0.01)
    found = simulated.simulate(world, 10_000, 100, "ray")
    assert found.seconds == pytest.approx(100, rel=0.02)
    assert found.limit == "driver"
    assert simulated.simulate(world, 10_000, 100, "shards").seconds < 30


@pytest.mark.parametrize("way", WAYS)
def test_a_slow_machine_holds_up_its_shard_alone(way: str) -> None:
    world = replace(IDEAL, slow_share=0.1, slowness=3.0)
    found = simulated.simulate(world, 100_000, 20, way, seed=1)
    assert (found.seconds > 2.5 * found.ideal) == (way == "shards")


def test_a_store_at_its_limit_gives_what_it_can() -> None:
    world = replace(IDEAL, store_rate=50.0, requests=2.0)
    assert simulated.store_under(world, 4, float("inf")).wait == pytest.approx(0, abs=1e-6)  # 16 requests a second
    busy = simulated.store_under(world, 40, float("inf"))
    assert busy.wait > 0.5
    assert busy.lost > 0
    pace = simulated.store_under(world, 40, 10.0)  # a driver hands it no more
    assert pace.wait == pytest.approx(0, abs=1e-6)
    found = simulated.simulate(world, 10_000, 10, "shards")
    assert found.seconds == pytest.approx(10_000 * 2 / 50, rel=0.5)
    assert found.limit == "store"


def test_the_table_of_a_seed_is_the_same() -> None:
    told = simulated.lines(World(), 100_000, [1, 10], seed=5)
    assert told == simulated.lines(World(), 100_000, [1, 10], seed=5)
    assert len(told) == 2 + 2 * len(WAYS)
