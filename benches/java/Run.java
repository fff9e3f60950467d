import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** What a workload is given and what it reports, and what it measures with: clocks, resident memory, CPU time of the workers. */
final class Run {
    final Pool pool;
    final int workers;
    final double window; // seconds to watch, for workloads that watch
    int tasks; // in: how many; out: how many there were, where the workload decides
    double wallNs;
    double cpuNs;
    double value; // the workload's figure, in its unit; where that is ns per task Driver fills it in
    double p50Ns;
    double p99Ns;
    double wakeups;

    Run(Pool pool, int workers, int tasks, double window) {
        this.pool = pool;
        this.workers = workers;
        this.tasks = tasks;
        this.window = window;
    }

    void startClock() {
        cpuNs = -processCpuNs();
        wallNs = -System.nanoTime();
    }

    void stopClock() {
        wallNs += System.nanoTime();
        cpuNs += processCpuNs();
    }

    /** In clock ticks of 10 ms: Java has nothing finer for a whole process. */
    private static double processCpuNs() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    /** A pool that loses tasks must not win. */
    static void check(boolean right, String what) {
        if (!right) {
            System.err.println("wrong result: " + what);
            System.exit(1);
        }
    }

    /** Of task i's result i, for all tasks below n. */
    static void checkSum(long sum, long n) {
        check(sum == n * (n - 1) / 2, "the sum of the results");
    }

    /** A field of a file of "name: value" lines in /proc/self. */
    static long procField(String file, String name) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self", file))) {
            if (line.startsWith(name + ":")) {
                return Long.parseLong(line.substring(name.length() + 1).replace("kB", "").trim());
            }
        }
        throw new IOException("no " + name + " in /proc/self/" + file);
    }

    /** From smaps_rollup, which walks the page tables. Includes what the heap has grown by for garbage: the process has it. */
    static double residentBytes() throws IOException {
        return procField("smaps_rollup", "Rss") * 1024.0;
    }

    /** CPU time in ns and times given a CPU, of the pool's threads (by their default names), not of the virtual machine's own. */
    static double[] usageOfWorkers(int workers) throws IOException {
        double[] used = {0, 0};
        int found = 0;
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path thread : threads) {
                String name = Files.readString(thread.resolve("comm"));
                if (name.startsWith("pool-") || name.startsWith("ForkJoinPool-")) {
                    String[] schedstat = Files.readString(thread.resolve("schedstat")).trim().split(" ");
                    found++;
                    used[0] += Double.parseDouble(schedstat[0]);
                    used[1] += Double.parseDouble(schedstat[2]);
                }
            }
        }
        check(found >= workers, "the pool's threads by name");
        return used;
    }
}
