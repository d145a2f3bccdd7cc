"""What waits for a pool of threads: together where it can be, and nobody behind somebody who stands still."""

from __future__ import annotations

import threading
import time

import pytest

from storage.lanes import STUCK_S, Lanes

WAIT_S = 10.0


def test_what_waits_is_taken_together_up_to_a_batch() -> None:
    lanes: Lanes[int] = Lanes(1, 3)
    for number in range(5):
        lanes.put(number)
    assert lanes.take() == [0, 1, 2]
    lanes.done()
    assert lanes.take() == [3, 4]


def test_one_more_begins_when_those_under_way_stand_still_and_not_before() -> None:
    lanes: Lanes[int] = Lanes(1, 1)
    for number in range(3):
        lanes.put(number)
    assert lanes.take() == [0]
    began_s = time.monotonic()
    assert lanes.take() == [1]  # nobody was done
    assert time.monotonic() - began_s >= STUCK_S
    lanes.done()
    lanes.done()
    began_s = time.monotonic()
    assert lanes.take() == [2]
    assert time.monotonic() - began_s < WAIT_S


@pytest.mark.parametrize("size", [1, 4])
def test_threads_have_everything_once_and_end_when_it_is_closed(size: int) -> None:
    """Every lane is free while there is work; what was put before the end is done."""
    lanes: Lanes[int] = Lanes(2, 7)
    done: list[int] = []
    under_way: list[int] = []
    most = [0]
    lock = threading.Lock()

    def work() -> None:
        while taken := lanes.take():
            with lock:
                under_way.append(1)
                most[0] = max(most[0], len(under_way))
            with lock:
                done.extend(taken)
                under_way.pop()
            lanes.done()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(size)]
    for thread in threads:
        thread.start()
    for number in range(2_000):
        lanes.put(number)
    lanes.close()
    for thread in threads:
        thread.join(WAIT_S)
    assert sorted(done) == list(range(2_000))
    assert not any(thread.is_alive() for thread in threads)
    assert most[0] >= 1


def test_who_waits_for_work_is_woken_by_it_and_by_the_end() -> None:
    lanes: Lanes[int] = Lanes(1, 8)
    got: list[list[int]] = []

    def work() -> None:
        while taken := lanes.take():
            got.append(taken)
            lanes.done()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    time.sleep(0.05)
    lanes.put(1)
    end_s = time.monotonic() + WAIT_S
    while not got and time.monotonic() < end_s:
        time.sleep(0.005)
    assert got == [[1]]
    lanes.close()
    thread.join(WAIT_S)
    assert not thread.is_alive()


@pytest.mark.parametrize("items", [2, 45])
def test_many_threads_end_though_something_waits_behind_what_is_under_way(items: int) -> None:
    for _ in range(5):
        lanes: Lanes[int] = Lanes(1, 8)
        done: list[int] = []

        def work(lanes: Lanes[int] = lanes, done: list[int] = done) -> None:
            while taken := lanes.take():
                time.sleep(0.005)
                done.extend(taken)
                lanes.done()

        threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for number in range(items):
            lanes.put(number)
        lanes.close()
        for thread in threads:
            thread.join(WAIT_S)
        assert not any(thread.is_alive() for thread in threads)
        assert sorted(done) == list(range(items))
