"""Simulates a run over many machines: how long it takes, and what becomes the bottleneck as machines are added.

    python scripts/simulate_cluster.py [--pages 40000000] [--nodes 1 10 100 1000] [--page-seconds 0.2] ...

Compares two ways: a run on a Ray cluster, whose driver lists, hands out and keeps everything; and shards, one per machine,
which are merged at the end. Every figure of `World` is an option. An event is a batch of pages of one machine, so that forty
million pages take seconds; the same seed gives the same table.
"""

from __future__ import annotations

import argparse
import heapq
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docproc.stores import ATTEMPTS, FIRST_WAIT, LONGEST_WAIT

Way = Literal["ray", "shards"]
BATCHES_LEFT = 4  # minimum number of batches that a machine makes of what is left, so that all end together
MOST_ROUNDS = 250  # maximum pages per core in a batch
FEW = 64  # pages of a batch whose times are drawn individually


@dataclass(frozen=True, slots=True)
class World:
    """What is known about pages, machines and store. Times in seconds; a document is one page."""

    cores: int = 16  # of a machine, each with a worker
    page_seconds: float = 0.32  # of a core, on average: a form of eight fields [measured]
    spread: float = 0.3  # standard deviation of its logarithm [guess]
    start_seconds: float = 6.0  # before a worker reads its first page [measured]
    name_seconds: float = 28e-6  # to list and enter a document [measured]
    driver_seconds: float = 0.9e-3  # of the driver per document: hand out, receive, keep [measured]
    table_seconds: float = 320e-6  # per document, to write the table at the end [measured]
    merge_seconds: float = 360e-6  # per document, to merge shards and write their table [measured]
    slow_share: float = 0.05  # of machines [guess]
    slowness: float = 2.0  # of these [guess]
    mtbf_hours: float = 1000.0  # of a machine [guess]
    replaced_seconds: float = 300.0  # until a dead machine is replaced [guess]
    requests: float = 2.0  # to the store, per document [measured]
    latency: float = 0.03  # per request [guess]
    store_rate: float = 5_500.0  # requests per second: what S3 promises for one prefix [standard]
    refused: float = 0.001  # share of requests that fail even though the store is below its limit [guess]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run. `read` and `failed` cover all pages; those in `again` were begun a second time."""

    seconds: float  # in total
    ideal: float  # of the cores alone
    read: int
    failed: int  # all their requests failed: the next run reads them
    again: int
    deaths: int
    shares: dict[str, float]  # how long each would take by itself: the longest is the bottleneck

    @property
    def limit(self) -> str:
        """The bottleneck."""
        return max(self.shares, key=lambda one: self.shares[one])


@dataclass(frozen=True, slots=True)
class _Store:
    """How long a document waits for the store, and how often it fails, with this many active workers."""

    wait: float  # seconds
    lost: float  # share of documents


def store_under(world: World, workers: int, most: float) -> _Store:
    """The store with `workers` workers, which request at most `most` documents per second from it.

    Above its limit it refuses the excess. Refused workers wait, so fewer requests are made: the share settles where the passed
    requests match the store's rate.
    """

    def costs(refused: float) -> tuple[float, float]:
        tries = sum(refused**k for k in range(ATTEMPTS))
        waits = sum(refused**k * min(LONGEST_WAIT, FIRST_WAIT * 2**k) / 2 for k in range(1, ATTEMPTS))
        return tries, world.requests * (world.latency * tries + waits)

    def passed(refused: float) -> float:
        tries, wait = costs(refused)
        documents = min(most, workers / max(1e-9, world.page_seconds + wait))
        return documents * world.requests * tries * (1 - refused)

    low, high = world.refused, 1.0
    if passed(low) > world.store_rate:
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if passed(middle) > world.store_rate else (low, middle)
    return _Store(costs(low)[1], 1 - (1 - low**ATTEMPTS) ** world.requests)


def simulate(world: World, pages: int, nodes: int, way: Way, seed: int = 0) -> Outcome:
    """One run from listing to table."""
    rng = np.random.default_rng(seed)
    slow = np.where(rng.random(nodes) < world.slow_share, world.slowness, 1.0)
    deaths_at = rng.exponential(world.mtbf_hours * 3600, nodes)  # seconds from the start
    own = [pages] if way == "ray" else [int(one) for one in rng.multinomial(pages, [1 / nodes] * nodes)]
    left = list(own)
    listing = pages * world.name_seconds
    begin = listing + world.start_seconds
    events = [(begin, node, node, 0) for node in range(nodes)]  # time, a number, machine, pages that it gives back by dying
    numbers = nodes
    idle: list[int] = []
    most = 1 / world.driver_seconds if way == "ray" and world.driver_seconds else math.inf
    under = cache(lambda up: store_under(world, up * world.cores, most))
    up, driver_free, last = nodes, begin, begin
    ended = [0.0] * nodes
    read = failed = again = deaths = 0
    while events:
        now, _, node, back = heapq.heappop(events)
        pool = 0 if way == "ray" else node
        if back:  # it is dead, and its pages are available to others, or to its replacement
            left[pool] += back
            up -= 1
            again_at = now + world.replaced_seconds + world.start_seconds + (0 if way == "ray" else listing)
            woken = [(now, one) for one in idle]
            idle.clear()
            for when, one in (*woken, (again_at, node)):
                numbers += 1
                heapq.heappush(events, (when, numbers, one, 0))
            up += len(woken)
            slow[node] = 1.0
            deaths_at[node] = again_at + rng.exponential(world.mtbf_hours * 3600)
            continue
        if not left[pool]:
            ended[node] = now
            up -= 1
            idle += [node] if way == "ray" else []
            continue
        store = under(max(1, up))
        count = _batch(left[pool], nodes if way == "ray" else 1, world.cores)
        left[pool] -= count
        lasts = _drawn(world, count, rng) * slow[node] + count * store.wait / world.cores
        end = now + lasts
        if way == "ray":  # it works in parallel with its workers
            driver_free = max(driver_free, now) + count * world.driver_seconds
            end = max(end, driver_free)
        done = count
        numbers += 1
        if deaths_at[node] < end:
            planned, end = end, max(now, deaths_at[node])
            done = min(int(count * (end - now) / (planned - now)), count - 1)
            again += min(count - done, world.cores)
            deaths += 1
            heapq.heappush(events, (end, numbers, node, count - done))
        else:
            heapq.heappush(events, (end, numbers, node, 0))
        lost = int(rng.binomial(done, store.lost)) if store.lost else 0
        read, failed, last = read + done - lost, failed + lost, max(last, end)
    ideal = pages * world.page_seconds / (nodes * world.cores)
    if way == "ray":
        after = pages * world.table_seconds
        alone = {"driver": pages * world.driver_seconds, "table": after}
    else:
        last = max(end + count * world.table_seconds for end, count in zip(ended, own, strict=True))
        after = pages * world.merge_seconds
        alone = {"merge": after}
    alone |= {"cores": ideal, "store": pages * world.requests / world.store_rate, "listing": listing}
    return Outcome(last + after, ideal, read, failed, again, deaths, alone)


def _batch(left: int, sharing: int, cores: int) -> int:
    """How many pages a machine takes: many at first, and at the end one per core."""
    return min(left, max(cores, min(left // (BATCHES_LEFT * sharing), MOST_ROUNDS * cores)))


def _drawn(world: World, count: int, rng: np.random.Generator) -> float:
    """Seconds that the cores of a machine take for this many pages."""
    mean, variance = world.page_seconds, math.expm1(world.spread**2) * world.page_seconds**2
    if count > FEW:  # for a large sum the distribution is known
        return max(0.0, float(rng.normal(count * mean, math.sqrt(count * variance)))) / world.cores
    drawn = rng.lognormal(math.log(mean) - world.spread**2 / 2, world.spread, count)
    return float(max(drawn.sum() / world.cores, drawn.max()))


def lines(world: World, pages: int, nodes: Sequence[int], seed: int = 0) -> list[str]:
    """The table, in Markdown."""
    told = [
        "| machines | way | hours | of ideal | read twice | machines lost | left to the next run | what gives the pace |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for count in nodes:
        for way in ("ray", "shards"):
            one = simulate(world, pages, count, way, seed)
            pace = f"{one.limit} ({one.shares[one.limit] / 3600:.2g} h)"
            told.append(
                f"| {count} | {way} | {one.seconds / 3600:.3g} | {one.ideal / one.seconds:.0%} | {one.again} | {one.deaths} | "
                f"{one.failed} | {pace} |"
            )
    return told


def main() -> None:
    """Print the table for the given figures."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--pages", type=int, default=40_000_000)
    asked.add_argument("--nodes", type=int, nargs="+", default=[1, 10, 100, 1_000])
    asked.add_argument("--seed", type=int, default=0)
    for one in fields(World):
        asked.add_argument(f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default)
    given = vars(asked.parse_args())
    pages, nodes, seed = given.pop("pages"), given.pop("nodes"), given.pop("seed")
    print("\n".join(lines(World(**given), pages, nodes, seed)))


if __name__ == "__main__":
    main()
