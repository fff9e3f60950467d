// pwc.cpp: a parallel wc. What does a whole program on top of tpexec.hpp look like? pwc.c in C++: the same command, the same
// output.
//
// What to look at:
//
//   count_file          the task: an ordinary function, which returns its result and throws where it fails
//   count_in_order      map(): results in input order, with at most `ahead` tasks submitted ahead of the one awaited
//   count_as_completed  as_completed(): results as they come, each with the index that leads back to the input. All are submitted
//                       at once; pwc.c bounds that by a completion queue
//   attendant           Ctrl-C without a signal handler: a thread that waits for the signal, then shuts the executor down,
//                       cancelling what is pending; both loops see that and end by themselves. Meanwhile it shows how far the
//                       counting is
//
// What has nothing to do with tasks is elsewhere: pwc.hpp.
//
// Exit status: 0, 1 if some file could not be counted, 2 for a wrong use, 130 after Ctrl-C.
#include "pwc.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <tpexec.hpp>
#include <unistd.h>

namespace {

constexpr std::size_t ahead = 1000;

// ---- the task -----------------------------------------------------------------------------------------------------------------

std::atomic<std::size_t> files_counted{0}; // for the progress line

class open_file {
public:
    explicit open_file(const std::string &name) : descriptor_(open(name.c_str(), O_RDONLY | O_CLOEXEC))
    {
        if (descriptor_ < 0) throw std::system_error(errno, std::generic_category());
    }
    open_file(const open_file &) = delete;
    open_file &operator=(const open_file &) = delete;
    ~open_file() { close(descriptor_); }

    int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

counts count_file(const wanted &wanted, const std::string &name)
{
    const open_file file(name);
    counts found{};
    counts_of(file.descriptor(), &wanted, &found);
    ++files_counted;
    return found;
}

// ---- Ctrl-C -------------------------------------------------------------------------------------------------------------------

std::atomic<bool> interrupted{false};

// SIGINT is blocked in every thread and taken by this one, in ordinary code, where anything may be called. SIGUSR1 is the
// destructor's word that all is done.
class attendant {
public:
    attendant(tp::executor &pool, std::size_t files) : thread_([&pool, files] { attend(pool, files); }) {}
    attendant(const attendant &) = delete;
    attendant &operator=(const attendant &) = delete;
    ~attendant()
    {
        pthread_kill(thread_.native_handle(), SIGUSR1);
        thread_.join();
        terminal::end_progress();
    }

    // Threads inherit the signal mask of the thread that starts them: so this comes before the first one.
    static void block_signals()
    {
        const sigset_t signals = set_of(SIGINT, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    }

private:
    template <class... Signals>
    static sigset_t set_of(Signals... signals)
    {
        sigset_t set;
        sigemptyset(&set);
        (sigaddset(&set, signals), ...);
        return set;
    }

    static void attend(tp::executor &pool, std::size_t files)
    {
        constexpr timespec tenth_of_a_second{0, 100'000'000};
        sigset_t signals = set_of(SIGINT, SIGUSR1);
        for (;;) {
            switch (sigtimedwait(&signals, nullptr, &tenth_of_a_second)) {
            case SIGINT: {
                interrupted = true;
                pool.shutdown(tp::shutdown_flags::cancel_futures); // what is pending is cancelled, what runs is not disturbed
                terminal::say("interrupted; finishing the files that are being read");
                // Who presses Ctrl-C again means it: from now on the signal does what it does to any program.
                const sigset_t interrupt = set_of(SIGINT);
                pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
                signals = set_of(SIGUSR1);
                break;
            }
            case SIGUSR1:
                return;
            default:
                terminal::show_progress(files_counted, files);
            }
        }
    }

    std::thread thread_;
};

// ---- collecting ---------------------------------------------------------------------------------------------------------------

class counting {
public:
    counting(const options &options, const std::vector<std::string> &names) : options_(options), names_(names) {}

    // Gives the sum.
    counts run()
    {
        attendant::block_signals();
        tp::executor_options pool_options;
        pool_options.max_workers = options_.workers;
        pool_options.thread_name_prefix = "pwc";
        tp::executor pool(std::move(pool_options));
        const attendant attending(pool, names_.size());
        if (options_.as_completed)
            count_as_completed(pool);
        else
            count_in_order(pool);
        return total_;
    }

private:
    auto task() const
    {
        return [this](const std::string &name) { return count_file(options_.columns, name); };
    }

    void count_in_order(tp::executor &pool)
    {
        auto results = pool.map(names_, task(), ahead);
        auto result = results.begin();
        for (const std::string &name : names_) {
            collect(name, [&] { return *result; });
            ++result;
        }
    }

    void count_as_completed(tp::executor &pool)
    {
        std::vector<tp::future<counts>> futures;
        try {
            for (const std::string &name : names_) futures.push_back(pool.submit(task(), std::cref(name)));
        } catch (const tp::shutdown_error &) {
            // Ctrl-C. What was submitted before comes out below, counted or cancelled.
        }
        for (auto [i, future] : tp::as_completed(futures)) collect(names_[i], [&result = future] { return result.get(); });
    }

    // One file has come out of one of these loops.
    template <class Get>
    void collect(const std::string &name, Get get)
    {
        try {
            const counts found = get();
            if (found.error != 0) // it could be read in part: like wc, say so and print what there is
                terminal::complain(name, std::strerror(found.error));
            terminal::print(found, options_.columns, name);
            total_.lines += found.lines;
            total_.words += found.words;
            total_.bytes += found.bytes;
        } catch (const std::system_error &error) {
            terminal::complain(name, error.code().message());
        } catch (const tp::error &error) {
            if (!interrupted) // else it was cancelled, or refused after the shutdown, which is no news
                terminal::complain(name, error.what());
        }
    }

    const options &options_;
    const std::vector<std::string> &names_;
    counts total_{};
};

// ---- main ---------------------------------------------------------------------------------------------------------------------

// Which files to count, in order.
std::vector<std::string> find_files(const std::vector<std::string> &paths)
{
    files found{};
    const std::unique_ptr<files, decltype(&files_free)> freed(&found, files_free);
    for (const std::string &path : paths)
        files_add(&found, path.c_str(), [](const char *name, const char *why) { terminal::complain(name, why); });
    files_sort(&found);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < found.n; ++i) names.emplace_back(static_cast<const char *>(found.names[i]));
    return names;
}

} // namespace

int main(int argc, char **argv)
try {
    const options given = read_options(argc, argv);
    const std::vector<std::string> names = find_files(given.paths);
    if (!names.empty()) {
        const counts total = counting(given, names).run();
        if (names.size() > 1 && !interrupted) // half a total would pass for a whole one
            terminal::print(total, given.columns, "total");
    }
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
        std::fprintf(stderr, "pwc: write error: %s\n", std::strerror(errno));
        return 1;
    }
    return interrupted ? 130 : terminal::complained() ? 1 : 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "pwc: %s\n", error.what());
    return 1;
}
