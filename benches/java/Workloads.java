import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * The workloads, with the loops of the C drivers' workloads.h, which says what each is for.
 *
 * <p>The clock runs from before the pool is made until it has terminated; what the tasks computed is checked.
 */
final class Workloads {
    /** With this unit Driver divides the wall time; else the workload computes its value. */
    static final String PER_TASK = "ns/task";

    interface Body {
        void run() throws Exception;
    }

    record Workload(String unit, Body body) { }

    private interface Task {
        long run(long argument) throws Exception;
    }

    private static final int WINDOW = 1000;
    private static final int PRODUCERS = 4;
    private static final int FIB_N = 27;
    /** Gives its argument back, so that the collected sum shows that each task ran once with its own argument. */
    private static final Task IDENTITY = argument -> argument;

    private final Run run;
    private ExecutorService executor;

    Workloads(Run run) {
        this.run = run;
    }

    Map<String, Workload> table() {
        Map<String, Workload> all = new LinkedHashMap<>();
        all.put("collect", new Workload(PER_TASK, () -> collect(IDENTITY)));
        all.put("windows", new Workload(PER_TASK, this::windows));
        all.put("many", new Workload(PER_TASK, this::many));
        all.put("execute", new Workload(PER_TASK, () -> execute(this::executeAll)));
        all.put("round_trip", new Workload(PER_TASK, this::roundTrip));
        all.put("producers", new Workload(PER_TASK, this::producers));
        all.put("fib", new Workload(PER_TASK, this::fib));
        all.put("inside", new Workload(PER_TASK, this::inside));
        all.put("inside_execute", new Workload(PER_TASK, () -> execute(() -> executor.submit(this::executeAll).get())));
        all.put("one_us", new Workload("wall/ideal", this::oneMicrosecond));
        all.put("sleepers", new Workload("wall/plain", this::sleepers));
        all.put("memory", new Workload("B/task", this::memory));
        all.put("memory_execute", new Workload("B/task", () -> execute(() -> pending(this::executeAll))));
        all.put("idle", new Workload("us CPU/s", this::idle));
        return all;
    }

    /** Makes the pool, runs the body and lets the pool terminate, all within the clock. */
    private void timed(Body body) throws Exception {
        run.startClock();
        executor = run.pool.create(run.workers);
        body.run();
        close();
        run.stopClock();
    }

    private void close() throws InterruptedException {
        executor.shutdown();
        Run.check(executor.awaitTermination(1, TimeUnit.DAYS), "the pool's end");
    }

    @SuppressWarnings("unchecked")
    private static Future<Long>[] places(int n) {
        return (Future<Long>[]) new Future<?>[n];
    }

    private void submitEach(Future<Long>[] futures, int first, int end, Task task) {
        for (int i = first; i < end; i++) {
            long argument = i;
            futures[i] = executor.submit(() -> task.run(argument));
        }
    }

    private static long sum(Future<Long>[] futures, int first, int end) throws Exception {
        long sum = 0;
        for (int i = first; i < end; i++) {
            sum += futures[i].get();
        }
        return sum;
    }

    private void collect(Task task) throws Exception {
        Future<Long>[] futures = places(run.tasks);
        timed(() -> {
            submitEach(futures, 0, run.tasks, task);
            Run.checkSum(sum(futures, 0, run.tasks), run.tasks);
        });
    }

    private void windows() throws Exception {
        run.tasks -= run.tasks % WINDOW;
        Future<Long>[] futures = places(WINDOW);
        timed(() -> {
            for (int done = 0; done < run.tasks; done += WINDOW) {
                submitEach(futures, 0, WINDOW, IDENTITY);
                Run.checkSum(sum(futures, 0, WINDOW), WINDOW);
            }
        });
    }

    /** invokeAll would wait for each batch: one by one is what a user would write. */
    private void many() throws Exception {
        run.tasks -= run.tasks % WINDOW;
        collect(IDENTITY);
    }

    private void executeAll() {
        for (int i = 0; i < run.tasks; i++) {
            executor.execute(Tasks::count);
        }
    }

    /** A body that executes all tasks, in its way. */
    private void execute(Body body) throws Exception {
        timed(body);
        Run.check(Tasks.counted() == run.tasks, "the number of tasks that ran");
    }

    private void roundTrip() throws Exception {
        long[] times = new long[run.tasks];
        timed(() -> {
            long sum = 0;
            for (int i = 0; i < run.tasks; i++) {
                long argument = i;
                long start = System.nanoTime();
                sum += executor.submit(() -> argument).get();
                times[i] = System.nanoTime() - start;
            }
            Run.checkSum(sum, run.tasks);
        });
        Arrays.sort(times);
        run.p50Ns = times[run.tasks / 2];
        run.p99Ns = times[run.tasks - 1 - run.tasks / 100];
    }

    /** Runs the task in n threads of their own, with 0 to n - 1; the sum of the results. */
    private static long inThreads(int n, Task task) throws Exception {
        Future<Long>[] results = places(n);
        for (int i = 0; i < n; i++) {
            long number = i;
            FutureTask<Long> result = new FutureTask<>(() -> task.run(number));
            new Thread(result).start();
            results[i] = result;
        }
        return sum(results, 0, n);
    }

    private void producers() throws Exception {
        int each = run.tasks / PRODUCERS;
        run.tasks = each * PRODUCERS;
        Future<Long>[] futures = places(run.tasks);
        CyclicBarrier start = new CyclicBarrier(PRODUCERS);
        timed(() -> Run.checkSum(inThreads(PRODUCERS, number -> {
            int first = (int) number * each;
            start.await();
            submitEach(futures, first, first + each, IDENTITY);
            return sum(futures, first, first + each);
        }), run.tasks));
    }

    private void fib() throws Exception {
        taskMayWaitIf(run.pool == Pool.ForkJoinPool);
        long below = 0;
        long fibN = 1; // fib(N - 1) and fib(N) once the loop has ended
        for (int i = 1; i < FIB_N; i++) {
            fibN += below;
            below = fibN - below;
        }
        run.tasks = (int) (fibN + below); // the children, and the root
        long expected = fibN;
        timed(() -> Run.check(executor.submit(new Tasks.Fib(FIB_N)::compute).get() == expected, "the Fibonacci number"));
    }

    private static void taskMayWaitIf(boolean possible) {
        if (!possible) {
            System.err.println("a task that waits for another blocks its worker: the pool would stop");
            System.exit(3);
        }
    }

    private void inside() throws Exception {
        taskMayWaitIf(run.pool == Pool.ForkJoinPool || run.workers > 1);
        Future<Long>[] futures = places(run.tasks);
        timed(() -> Run.checkSum(executor.submit(() -> {
            for (int i = 0; i < run.tasks; i++) {
                long argument = i;
                futures[i] = run.pool.submitInside(executor, () -> argument);
            }
            return sum(futures, 0, run.tasks);
        }).get(), run.tasks));
    }

    /** The wall time over that of the work alone, done before in this process, shared out to as many workers as have a CPU. */
    private void oneMicrosecond() throws Exception {
        Tasks.calibrateWork();
        long start = System.nanoTime();
        for (int i = 0; i < run.tasks; i++) {
            Tasks.work(i);
        }
        double aloneNs = System.nanoTime() - start;
        collect(Tasks::work);
        run.value = run.wallNs / (aloneNs / Math.min(run.workers, Runtime.getRuntime().availableProcessors()));
    }

    /** The wall time over that of as many plain threads, each of which sleeps its share. */
    private void sleepers() throws Exception {
        long start = System.nanoTime();
        inThreads(run.workers, number -> {
            for (int i = (int) number; i < run.tasks; i += run.workers) {
                Tasks.nap(i);
            }
            return number;
        });
        double plainNs = System.nanoTime() - start;
        collect(Tasks::nap);
        run.value = run.wallNs / plainNs;
    }

    /** Runs the body while every worker is held at a gate. */
    private void whileWorkersAreHeld(Body body) throws Exception {
        Semaphore reached = new Semaphore(0);
        Semaphore open = new Semaphore(0);
        Future<Long>[] held = places(run.workers);
        submitEach(held, 0, run.workers, argument -> {
            reached.release();
            open.acquire();
            return argument;
        });
        reached.acquire(run.workers);
        body.run();
        open.release(run.workers);
        sum(held, 0, run.workers);
    }

    /** Resident memory per pending task. */
    private void pending(Body fill) throws Exception {
        whileWorkersAreHeld(() -> {
            double before = Run.residentBytes();
            fill.run();
            run.value = (Run.residentBytes() - before) / run.tasks;
        });
    }

    /** The array of futures is the caller's and not counted. */
    private void memory() throws Exception {
        Future<Long>[] futures = places(run.tasks);
        timed(() -> {
            pending(() -> submitEach(futures, 0, run.tasks, IDENTITY));
            Run.checkSum(sum(futures, 0, run.tasks), run.tasks);
        });
    }

    private void idle() throws Exception {
        executor = run.pool.create(run.workers);
        whileWorkersAreHeld(() -> { }); // all have started
        Thread.sleep(200); // let them look around for work, give up and fall asleep
        run.startClock();
        double[] before = Run.usageOfWorkers(run.workers);
        Thread.sleep((long) (run.window * 1000));
        double[] after = Run.usageOfWorkers(run.workers);
        run.stopClock();
        run.value = (after[0] - before[0]) / 1000 / run.window;
        run.wakeups = (after[1] - before[1]) / run.window;
        run.tasks = run.workers;
        close();
    }
}
