import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/**
 * Runs one workload of the benchmark once with one of Java's two pools and prints one line of JSON.
 *
 * <p>{@code Driver POOL WORKLOAD WORKERS TASKS SECONDS}; {@code Driver POOL version} names the peer. One process runs one
 * workload, so the just-in-time compiler warms up within the clock, as in a process of the user. Exit status: 1 for a wrong
 * result, 2 for a wrong call, 3 for a workload that the pool does not run.
 */
public final class Driver {
    private Driver() { }

    private static String json(Run run, String workload, String unit) throws IOException {
        // Java has no getrusage: the page faults are from the kernel's stat line, the context switches of all threads unknown.
        String stat = Files.readString(Path.of("/proc/self/stat"));
        String minorFaults = stat.substring(stat.lastIndexOf(')') + 2).split(" ")[7];
        String[] fields = {
            String.format("\"workload\": \"%s\"", workload),
            String.format("\"workers\": %d", run.workers),
            String.format("\"tasks\": %d", run.tasks),
            String.format(Locale.ROOT, "\"value\": %.3f", run.value),
            String.format("\"unit\": \"%s\"", unit),
            String.format(Locale.ROOT, "\"wall_ns\": %.0f", run.wallNs),
            String.format(Locale.ROOT, "\"cpu_ns\": %.0f", run.cpuNs),
            String.format(Locale.ROOT, "\"p50_ns\": %.0f", run.p50Ns),
            String.format(Locale.ROOT, "\"p99_ns\": %.0f", run.p99Ns),
            String.format(Locale.ROOT, "\"wakeups_per_s\": %.1f", run.wakeups),
            String.format("\"max_rss_kib\": %d", Run.procField("status", "VmHWM")),
            String.format("\"minor_faults\": %s", minorFaults),
            "\"voluntary_switches\": null",
            "\"involuntary_switches\": null",
            "\"language\": \"Java\"",
        };
        return "{" + String.join(", ", fields) + "}";
    }

    private static void measure(String[] arguments) throws Exception {
        Run run = new Run(Pool.valueOf(arguments[0]), Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]),
            Double.parseDouble(arguments[4]));
        Workloads.Workload workload = new Workloads(run).table().get(arguments[1]);
        if (workload == null || run.workers < 1 || run.tasks < 1 || !(run.window > 0)) {
            throw new IllegalArgumentException("no such workload, or nothing to do");
        }
        workload.body().run();
        if (run.tasks == 0) {
            throw new IllegalArgumentException("too few tasks for " + arguments[1]);
        }
        if (workload.unit().equals(Workloads.PER_TASK)) {
            run.value = run.wallNs / run.tasks;
        }
        System.out.println(json(run, arguments[1], workload.unit()));
    }

    private static void usage(String problem) {
        System.err.println(problem + "\nusage: POOL WORKLOAD WORKERS TASKS SECONDS, or: POOL version\npools: "
            + Arrays.toString(Pool.values()) + "\nworkloads: " + new Workloads(null).table().keySet());
        System.exit(2);
    }

    public static void main(String[] arguments) throws Exception {
        try {
            if (arguments.length == 2 && arguments[1].equals("version")) {
                String runtime = System.getProperty("java.runtime.name").split(" ")[0];
                System.out.println(runtime + " " + System.getProperty("java.version") + " " + Pool.valueOf(arguments[0]));
            } else if (arguments.length == 5) {
                measure(arguments);
            } else {
                throw new IllegalArgumentException("wrong number of arguments");
            }
        } catch (IllegalArgumentException wrong) {
            usage(wrong.getMessage());
        }
    }
}
