import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.RecursiveTask;

/** What the tasks of Workloads do. */
final class Tasks {
    private Tasks() { }

    private static final Queue<long[]> COUNTERS = new ConcurrentLinkedQueue<>();
    private static final int IN_THE_MIDDLE = 16; // of an array that is longer than the cache lines that workers might share
    private static final ThreadLocal<long[]> MINE = ThreadLocal.withInitial(() -> {
        long[] counter = new long[2 * IN_THE_MIDDLE];
        COUNTERS.add(counter);
        return counter;
    });

    static void count() {
        MINE.get()[IN_THE_MIDDLE]++;
    }

    /** How often count has run; for when the pool has terminated. */
    static long counted() {
        return COUNTERS.stream().mapToLong(counter -> counter[IN_THE_MIDDLE]).sum();
    }

    private static long workRounds = 1 << 22;
    private static long never;

    /** A chain of dependent multiplications: the same work on every call. Gives its argument back. */
    static long work(long argument) {
        long x = argument | 1;
        for (long i = 0; i < workRounds; i++) {
            x = x * 6364136223846793005L + 1442695040888963407L;
        }
        if (x == 0) {
            never++; // used, as far as the compiler can tell
        }
        return argument;
    }

    /** From now on work takes a microsecond on this machine. */
    static void calibrateWork() {
        double bestNs = Double.MAX_VALUE;
        for (int i = 0; i < 3; i++) {
            long start = System.nanoTime();
            work(0);
            bestNs = Math.min(bestNs, System.nanoTime() - start);
        }
        workRounds = (long) (workRounds * 1000 / bestNs);
    }

    static long nap(long argument) throws InterruptedException {
        Thread.sleep(1);
        return argument;
    }

    /** Nested fork-join: each call forks one child, computes the other half itself, and waits. */
    static final class Fib extends RecursiveTask<Long> {
        private static final long serialVersionUID = 1;
        private final int n;

        Fib(int n) {
            this.n = n;
        }

        @Override protected Long compute() {
            if (n < 2) {
                return (long) n;
            }
            ForkJoinTask<Long> child = new Fib(n - 1).fork();
            long here = new Fib(n - 2).compute();
            return here + child.join();
        }
    }
}
