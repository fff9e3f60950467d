import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.Future;

/** The two pools that Driver can measure, by the names that its command line takes. */
enum Pool {
    ThreadPoolExecutor {
        @Override ExecutorService create(int workers) {
            return Executors.newFixedThreadPool(workers);
        }

        @Override Future<Long> submitInside(ExecutorService executor, Callable<Long> task) {
            return executor.submit(task);
        }
    },
    ForkJoinPool {
        @Override ExecutorService create(int workers) {
            return new java.util.concurrent.ForkJoinPool(workers);
        }

        @Override Future<Long> submitInside(ExecutorService executor, Callable<Long> task) {
            return ForkJoinTask.adapt(task).fork();
        }
    };

    abstract ExecutorService create(int workers);

    /** Submits from a task; a fork-join task forks. */
    abstract Future<Long> submitInside(ExecutorService executor, Callable<Long> task);
}
