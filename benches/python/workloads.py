"""The workloads, in the order and with the loops of the C drivers' workloads.h, which says what each is for.

The clock runs from before the pool is made until it is shut down; what the tasks computed is checked.
"""

import gc
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from measure import check, resident_bytes, usage_of_others

WINDOW = 1000
PRODUCERS = 4
NAP = 0.001
WAITING_BLOCKS = "a task that waits for another blocks its worker: the pool would stop"


class Unsupported(Exception):
    """Why this pool does not run a workload."""


def identity(i):
    """Gives its argument back, so that the collected sum shows that each task ran once with its own argument."""
    return i


counters = []
mine = threading.local()


def count():
    """Counts without a lock: each thread has a counter of its own."""
    try:
        mine.counter[0] += 1
    except AttributeError:
        mine.counter = [1]
        counters.append(mine.counter)


def counted():
    """How often `count` has run, in all threads."""
    return sum(counter[0] for counter in counters)


def work(i, rounds):
    """A chain of dependent multiplications: the same work on every call. Gives its argument back."""
    x = i | 1
    for _ in range(rounds):
        x = (x * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return i


def nap(i):
    """Sleeps a little and gives its argument back."""
    time.sleep(NAP)
    return i


def submit_each(pool, tasks, first=0):
    return [pool.submit(identity, i) for i in range(first, first + tasks)]


def sum_of(futures):
    return sum(future.result() for future in futures)


def check_sum(got, tasks):
    check(got == tasks * (tasks - 1) // 2, "the sum of the results")


def submit_and_collect(run, fn, *arguments):
    with run, ThreadPoolExecutor(run.workers) as pool:
        check_sum(sum_of([pool.submit(fn, i, *arguments) for i in range(run.tasks)]), run.tasks)


def collect(run):
    submit_and_collect(run, identity)


def windows(run):
    run.tasks -= run.tasks % WINDOW
    with run, ThreadPoolExecutor(run.workers) as pool:
        for _ in range(run.tasks // WINDOW):
            check_sum(sum_of(submit_each(pool, WINDOW)), WINDOW)


def many(run):
    """`map` is the call that submits many; it keeps the futures itself."""
    run.tasks -= run.tasks % WINDOW
    with run, ThreadPoolExecutor(run.workers) as pool:
        batches = [pool.map(identity, range(first, first + WINDOW)) for first in range(0, run.tasks, WINDOW)]
        check_sum(sum(map(sum, batches)), run.tasks)


def execute(run):
    """There is no call without a future: it is dropped."""
    with run, ThreadPoolExecutor(run.workers) as pool:
        for _ in range(run.tasks):
            pool.submit(count)
    check(counted() == run.tasks, "the number of tasks that ran")


def round_trip(run):
    times, total = [0] * run.tasks, 0
    with run, ThreadPoolExecutor(run.workers) as pool:
        for i in range(run.tasks):
            start = time.monotonic_ns()
            total += pool.submit(identity, i).result()
            times[i] = time.monotonic_ns() - start
    check_sum(total, run.tasks)
    times.sort()
    run.p50_ns = times[run.tasks // 2]
    run.p99_ns = times[run.tasks - 1 - run.tasks // 100]


def run_to_the_end(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def producers(run):
    each = run.tasks // PRODUCERS
    run.tasks = each * PRODUCERS
    start, sums = threading.Barrier(PRODUCERS), []

    def produce(pool, first):
        start.wait()
        sums.append(sum_of(submit_each(pool, each, first)))

    with run, ThreadPoolExecutor(run.workers) as pool:
        threads = [threading.Thread(target=produce, args=(pool, i * each)) for i in range(PRODUCERS)]
        run_to_the_end(threads)
    check_sum(sum(sums), run.tasks)


def fib(_):
    raise Unsupported(WAITING_BLOCKS)


def inside(run):
    if run.workers < 2:
        raise Unsupported(WAITING_BLOCKS)
    with run, ThreadPoolExecutor(run.workers) as pool:
        check_sum(pool.submit(lambda: sum_of(submit_each(pool, run.tasks))).result(), run.tasks)


def inside_execute(run):
    def root():
        for _ in range(run.tasks):
            pool.submit(count)

    with run, ThreadPoolExecutor(run.workers) as pool:
        pool.submit(root).result()
    check(counted() == run.tasks, "the number of tasks that ran")


def one_us(run):
    """Wall time over the ideal: the work alone, done before in this process, shared out to as many workers as have a CPU."""
    trial, best_ns = 1 << 16, math.inf
    for _ in range(3):
        start = time.monotonic_ns()
        work(0, trial)
        best_ns = min(best_ns, time.monotonic_ns() - start)
    rounds = round(trial * 1000 / best_ns)
    start = time.monotonic_ns()
    for i in range(run.tasks):
        work(i, rounds)
    alone_ns = time.monotonic_ns() - start
    submit_and_collect(run, work, rounds)
    run.value = run.wall_ns / (alone_ns / min(run.workers, os.cpu_count()))


def sleepers(run):
    """Wall time over that of as many plain threads, each of which sleeps its share."""
    share, more = divmod(run.tasks, run.workers)

    def nap_often(naps):
        for i in range(naps):
            nap(i)

    threads = [threading.Thread(target=nap_often, args=(share + (i < more),)) for i in range(run.workers)]
    start = time.monotonic_ns()
    run_to_the_end(threads)
    plain_ns = time.monotonic_ns() - start
    submit_and_collect(run, nap)
    run.value = run.wall_ns / plain_ns


class Gate:
    """Holds every worker from its making until it is opened."""

    def __init__(self, pool, workers):
        self.reached, self.open = threading.Semaphore(0), threading.Semaphore(0)
        self.held = [pool.submit(self.pass_through) for _ in range(workers)]
        for _ in self.held:
            self.reached.acquire()

    def pass_through(self):
        self.reached.release()
        self.open.acquire()

    def release(self):
        self.open.release(len(self.held))
        for future in self.held:
            future.result()


def pending(run, fill, drain=lambda: None):
    """Resident memory per pending task, behind workers that are all blocked."""
    with run, ThreadPoolExecutor(run.workers) as pool:
        gate = Gate(pool, run.workers)
        gc.collect()
        before = resident_bytes()
        fill(pool)
        run.value = (resident_bytes() - before) / run.tasks
        gate.release()
        drain()


def memory(run):
    """The list of futures is the caller's and not counted: it is there before."""
    futures = [None] * run.tasks

    def fill(pool):
        for i in range(run.tasks):
            futures[i] = pool.submit(identity, i)

    pending(run, fill, lambda: check_sum(sum_of(futures), run.tasks))


def memory_execute(run):
    def fill(pool):
        for _ in range(run.tasks):
            pool.submit(count)

    pending(run, fill)
    check(counted() == run.tasks, "the number of tasks that ran")


def idle(run):
    with ThreadPoolExecutor(run.workers) as pool:
        Gate(pool, run.workers).release()
        time.sleep(0.2)  # let them look around for work, give up and fall asleep
        with run:
            cpu_before, runs_before = usage_of_others()
            time.sleep(run.window)
            cpu_after, runs_after = usage_of_others()
    run.value = (cpu_after - cpu_before) / 1000 / run.window
    run.wakeups = (runs_after - runs_before) / run.window
    run.tasks = run.workers
