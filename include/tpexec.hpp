/// tpexec.hpp - a thread pool executor with futures for C++17 and later: tpexec.h as the standard library would spell it.
///
/// SPDX-License-Identifier: MIT OR Apache-2.0
///
///     tp::executor pool;                                           // its threads start on demand
///     tp::future<int> answer = pool.submit([](int a, int b) { return a * b; }, 6, 7);
///     std::cout << answer.get() << '\n';                           // throws what the task threw
///
/// Everything here is inline and calls nothing but the C functions of tpexec.h, so that a program compiled with any
/// compiler and standard library works with any libtpexec.so of the same SONAME. Link with tpexec; there is nothing
/// else to link.
///
/// Threads. The members of an executor may be called from any thread at the same time, also in tasks and callbacks;
/// only its move, end, detach() and release() need it alone. Futures are like other objects of the standard library:
/// several threads may call const members of one object; any other member needs it alone. Two threads that both want a
/// result use a shared_future each.
///
/// Exceptions. What a task throws is stored, and thrown again by get(). All exceptions of this library derive from
/// tp::error; besides them std::bad_alloc and what the constructors of the caller's types throw can come out of a call.
/// A call that throws has done nothing, unless said otherwise: no task was submitted, no future used up. Members marked
/// noexcept, destructors and moves do not throw.
///
/// Durations and time points are those of any clock. A wait never reports a timeout early, durations that have passed
/// look without waiting, and those too long for 64 bits of nanoseconds wait without limit. On a worker, a wait for a
/// pending task of the worker's own executor runs that task itself, at once: a limited wait may then last as long as
/// the task.
///
/// Compiled with -fno-exceptions: where an exception would be thrown, a line is written to stderr and std::abort() ends
/// the program; native_handle() and the C functions tell beforehand. All files of a program have to agree on that
/// option.
///
/// Sections: errors, futures, submitting, executor, waiting for several, map, coroutines. What is in tp::detail is not
/// for use.
#ifndef TPEXEC_HPP
#define TPEXEC_HPP

#if __cplusplus < 201703L
#error "tpexec.hpp needs C++17 or later; tpexec.h works from C++11 on"
#endif

#include "tpexec.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <ratio>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
#if __has_include(<version>)
#include <version>
#endif

/// Defined to 1 where tasks can take a std::stop_token.
#if defined(__cpp_lib_jthread)
#define TPEXEC_HAS_STOP_TOKEN 1
#include <stop_token>
#endif

/// Defined to 1 where futures and executor.schedule() can be awaited.
#if defined(__cpp_impl_coroutine) && __has_include(<coroutine>)
#define TPEXEC_HAS_COROUTINES 1
#include <coroutine>
#endif

// Exceptions are caught in other shared objects than they are thrown in, also in programs compiled with
// -fvisibility=hidden.
#define TPEXEC_VISIBLE [[gnu::visibility("default")]]

namespace tp {

template <class T>
class future;
template <class T>
class shared_future;
class executor;

// ---- errors -------------------------------------------------------------------------------------------------------------------

/// What every exception of this library derives from: a tp_status with a sentence.
class TPEXEC_VISIBLE error : public std::runtime_error {
public:
    error(tp_status status, const char *message) : std::runtime_error(message), status_(status) {}

    /// Which failure it is. Statuses that later versions of the library add come as a plain tp::error.
    [[nodiscard]] tp_status status() const noexcept { return status_; }

private:
    tp_status status_;
};

/// The exception for one status; the names below are what to catch.
template <tp_status Status>
class TPEXEC_VISIBLE status_error : public error {
public:
    explicit status_error(const char *message = tp_status_message(Status)) : error(Status, message) {}
};

using cancelled_error = status_error<TP_ERR_CANCELLED>;               ///< the task was cancelled before it started
using timeout_error = status_error<TP_ERR_TIMEOUT>;                   ///< the time given was over first; nothing is lost
using deadlock_error = status_error<TP_ERR_DEADLOCK>;                 ///< this wait could never end
using broken_executor = status_error<TP_ERR_BROKEN>;                  ///< a worker's initializer failed
using shutdown_error = status_error<TP_ERR_SHUTDOWN>;                 ///< the executor takes no more tasks
using invalid_state_error = status_error<TP_ERR_INVALID_STATE>;       ///< e.g. get() on a future that has been used up
using invalid_argument_error = status_error<TP_ERR_INVALID_ARGUMENT>; ///< e.g. more workers than TP_MAX_WORKERS
using no_memory_error = status_error<TP_ERR_NO_MEMORY>;               ///< the library had no memory
using system_error = status_error<TP_ERR_SYSTEM>;                     ///< the operating system refused something, e.g. a thread
using forked_error = status_error<TP_ERR_FORKED>;                     ///< the object belongs to the parent process
using queue_full_error = status_error<TP_ERR_QUEUE_FULL>;             ///< not thrown while queues are unbounded
using unsupported_error = status_error<TP_ERR_UNSUPPORTED>;           ///< asks for what only later versions of the library do

/// A task failed by calling tp_task_fail(), as those written in C do. Also stands for a task's exception where there
/// was no memory to keep it.
class TPEXEC_VISIBLE task_error : public status_error<TP_ERR_TASK> {
public:
    task_error(std::int32_t code, const char *message) : status_error(message), code_(code) {}

    /// The number that the task chose.
    [[nodiscard]] std::int32_t code() const noexcept { return code_; }

private:
    std::int32_t code_;
};

/// tp_error.code of a task that ended by an exception: payload is then a std::exception_ptr *, of the C++ library that
/// this constant differs by, and message its what(). C code that looks at the error of such a task sees this number.
#if defined(_LIBCPP_VERSION)
inline constexpr std::int32_t exception_code = 0x74704302; // "tpC" and a number
#else
inline constexpr std::int32_t exception_code = 0x74704301;
#endif

namespace detail {

/// Runs the body. If it throws, calls failed(what()) while the exception is being handled.
template <class Body, class Failed>
void attempt(Body &&body, Failed &&failed) noexcept {
#if defined(__cpp_exceptions)
    try {
        body();
    } catch (const std::exception &exception) {
        failed(exception.what());
    } catch (...) {
        failed("an exception that is no std::exception");
    }
#else
    body();
    (void)failed;
#endif
}

} // namespace detail

/// The exception that a C error report stands for: the task's own, else a task_error. Null under -fno-exceptions,
/// unless the report carries one.
[[nodiscard]] inline std::exception_ptr to_exception(const tp_error &report) noexcept {
    if (report.code == exception_code && report.payload != nullptr) {
        return *static_cast<std::exception_ptr *>(report.payload);
    }
    std::exception_ptr made;
    detail::attempt([&] { made = std::make_exception_ptr(task_error(report.code, report.message)); },
                    [&](const char *) { made = std::current_exception(); }); // no memory
    return made;
}

namespace detail {

template <class Error, class... Arguments>
[[noreturn]] void raise(const char *message, Arguments... arguments) {
#if defined(__cpp_exceptions)
    throw Error(arguments..., message);
#else
    ((void)arguments, ...);
    std::fprintf(stderr, "tpexec: %s\n", message);
    std::abort();
#endif
}

/// Throws the exception for a status that a C function has just returned.
[[noreturn, gnu::cold, gnu::noinline]] inline void raise_status(tp_status status) {
    // Outcomes of tasks are not noted as the thread's last failure; for them the general sentence is all there is.
    const char *message = tp_last_error() == status ? tp_last_error_message() : tp_status_message(status);
    switch (status) {
    case TP_ERR_CANCELLED: raise<cancelled_error>(message);
    case TP_ERR_TIMEOUT: raise<timeout_error>(message);
    case TP_ERR_DEADLOCK: raise<deadlock_error>(message);
    case TP_ERR_BROKEN: raise<broken_executor>(message);
    case TP_ERR_SHUTDOWN: raise<shutdown_error>(message);
    case TP_ERR_INVALID_STATE: raise<invalid_state_error>(message);
    case TP_ERR_INVALID_ARGUMENT: raise<invalid_argument_error>(message);
    case TP_ERR_NO_MEMORY: raise<no_memory_error>(message);
    case TP_ERR_SYSTEM: raise<system_error>(message);
    case TP_ERR_FORKED: raise<forked_error>(message);
    case TP_ERR_QUEUE_FULL: raise<queue_full_error>(message);
    case TP_ERR_UNSUPPORTED: raise<unsupported_error>(message);
    default: raise<error>(message, status);
    }
}

inline void check(tp_status status) {
    if (status != TP_OK) raise_status(status);
}

/// Throws what stands behind a wait for a future that did not end with TP_OK.
[[noreturn, gnu::cold, gnu::noinline]] inline void raise_outcome(tp_future *future, tp_status status) {
    if (future == nullptr) raise<invalid_state_error>("the future refers to no task: moved from, used up, or never had one");
    const tp_error *report = nullptr;
    if (status == TP_ERR_TASK) check(tp_future_error(future, 0, &report));
    if (report == nullptr) raise_status(status);
#if defined(__cpp_exceptions)
    std::rethrow_exception(to_exception(*report));
#else
    raise<error>(report->message, status);
#endif
}

// ---- time ----

/// Longer than anybody waits, and some years less than 64 bits of nanoseconds hold: it can be added to a clock's now.
inline constexpr std::chrono::duration<double> far_away(9.0e9);

/// Nanoseconds for the C functions: rounded up, so that no wait ends early, and TP_FOREVER for what does not fit.
template <class Rep, class Period>
constexpr std::int64_t to_timeout(const std::chrono::duration<Rep, Period> &duration) {
    using std::chrono::nanoseconds;
    if (!(duration > duration.zero())) return 0; // also a NaN
    if (std::chrono::duration<double>(duration) >= far_away) return TP_FOREVER;
    return static_cast<std::int64_t>(std::chrono::ceil<nanoseconds>(duration).count());
}

/// Calls wait(nanoseconds) until it returns something else than TP_ERR_TIMEOUT, or the clock has reached the deadline:
/// clocks other than steady_clock may be set back during the wait.
template <class Clock, class Duration, class Wait>
tp_status until(const std::chrono::time_point<Clock, Duration> &deadline, Wait wait) {
    for (;;) {
        // First as a floating-point number: the difference of two time points can overflow in their own units.
        const auto now = Clock::now();
        const auto left = std::chrono::duration<double>(deadline.time_since_epoch()) -
                          std::chrono::duration<double>(now.time_since_epoch());
        const std::int64_t timeout = left >= far_away ? TP_FOREVER : left <= -far_away ? 0 : to_timeout(deadline - now);
        const tp_status status = wait(timeout);
        if (status != TP_ERR_TIMEOUT || timeout == 0) return status;
    }
}

} // namespace detail

// ---- futures ------------------------------------------------------------------------------------------------------------------

/// How a limited wait ended.
enum class future_status {
    ready,   ///< what was waited for has happened
    timeout, ///< not yet
};

namespace detail {

inline future_status to_future_status(tp_status status) {
    if (status == TP_ERR_TIMEOUT) return future_status::timeout;
    check(status);
    return future_status::ready;
}

/// How a future asks a task for its end that takes a std::stop_token. The same in every C++ standard: one program may
/// mix them.
struct stop_hook {
    void (*request)(stop_hook &self);
};

inline void add_done_callback(tp_future *future, tp_done_fn callback, void *data) {
    const tp_status status = tp_future_add_done_callback(future, callback, data);
    if (status != TP_OK) raise_outcome(future, status);
}

#if defined(TPEXEC_HAS_COROUTINES)
/// What co_await does with a future: the thread that completes the task resumes the coroutine, in a done callback.
template <class Future>
struct future_awaiter {
    Future future;

    bool await_ready() const noexcept { return future.done(); }

    // Not inline: when the callback is added the coroutine may go on, and its frame be gone, and some compilers (clang
    // before 19) would keep this function's variables in the frame.
    [[gnu::noinline]] void await_suspend(std::coroutine_handle<> waiting) {
        add_done_callback(
            future.native_handle(),
            [](tp_future *, void *frame) noexcept { std::coroutine_handle<>::from_address(frame).resume(); },
            waiting.address());
    }

    decltype(auto) await_resume() { return future.get(); }
};
#endif

template <class Future, class F>
void call_when_done(tp_future *handle, F &&callback) {
    using function = std::decay_t<F>;
    auto owned = std::make_unique<function>(std::forward<F>(callback));
    add_done_callback(
        handle,
        [](tp_future *done, void *data) noexcept {
            std::unique_ptr<function> call(static_cast<function *>(data));
            if constexpr (std::is_invocable_v<function &, const Future &>) {
                const Future lent = Future::adopt(tp_future_retain(done));
                std::invoke(*call, lent);
            } else {
                std::invoke(*call);
            }
        },
        owned.get());
    (void)owned.release(); // the callback's
}

} // namespace detail

/// What future and shared_future have in common: a counted reference to a task, or none.
class future_base {
public:
    /// Whether it refers to a task. If not, predicates are false, cancel() and request_stop() do nothing, and what
    /// waits or calls back throws invalid_state_error.
    [[nodiscard]] bool valid() const noexcept { return handle_ != nullptr; }

    /// Waits until the task has ended, however it did. Throws deadlock_error if that could never be.
    void wait() const { to_ready(wait_status(TP_FOREVER)); }

    /// Waits, with a limit, until the task has ended, however it did.
    template <class Rep, class Period>
    future_status wait_for(const std::chrono::duration<Rep, Period> &timeout) const {
        return to_ready(wait_status(detail::to_timeout(timeout)));
    }

    template <class Clock, class Duration>
    future_status wait_until(const std::chrono::time_point<Clock, Duration> &deadline) const {
        return to_ready(detail::until(deadline, [this](std::int64_t timeout) { return wait_status(timeout); }));
    }

    /// Waits, and gives what the task threw without throwing it; null if it succeeded. A task that never ran has none:
    /// cancelled_error, broken_executor and deadlock_error are thrown. The result stays to be had, and unhandled_error
    /// hears nothing of the exception.
    [[nodiscard]] std::exception_ptr exception() const {
        const tp_error *report = nullptr;
        const tp_status status = tp_future_error(handle_, TP_FOREVER, &report);
        if (status != TP_OK) detail::raise_outcome(handle_, status);
        return report == nullptr ? nullptr : to_exception(*report);
    }

    /// Cancels the task if it has not started: its closure is destroyed, waiters wake up and callbacks run in this
    /// call. True if the task is cancelled, by this call or before; a running task is not disturbed.
    bool cancel() const noexcept { return tp_future_cancel(handle_); }

    /// Cancels a pending task as cancel() does, and lets a running one see the request: by stop_requested(), or by the
    /// std::stop_token that it took. To tie a task to another token:
    ///     std::stop_callback link(token, [&] { future.request_stop(); });
    void request_stop() const noexcept {
        tp_future_request_stop(handle_);
        // What is running can no more be cancelled, and this reference keeps its memory: the hook is there.
        if (stop_ != nullptr && tp_future_running(handle_)) stop_->request(*stop_);
    }

    [[nodiscard]] bool done() const noexcept { return tp_future_done(handle_); }           ///< finished or cancelled
    [[nodiscard]] bool running() const noexcept { return tp_future_running(handle_); }     ///< started, not ended
    [[nodiscard]] bool cancelled() const noexcept { return tp_future_cancelled(handle_); } ///< will never run
    [[nodiscard]] tp_state state() const noexcept { return tp_future_state(handle_); }     ///< all of that in one

    /// The C handle, borrowed: for the functions of tpexec.h.
    [[nodiscard]] tp_future *native_handle() const noexcept { return handle_; }

protected:
    future_base() noexcept = default;
    explicit future_base(tp_future *handle, detail::stop_hook *stop = nullptr) noexcept : handle_(handle), stop_(stop) {}
    future_base(const future_base &other) noexcept : handle_(tp_future_retain(other.handle_)), stop_(other.stop_) {}
    future_base(future_base &&other) noexcept : handle_(other.release()), stop_(other.stop_) {}
    future_base &operator=(const future_base &other) noexcept { return *this = future_base(other); }
    future_base &operator=(future_base &&other) noexcept {
        future_base old(std::move(other));
        std::swap(handle_, old.handle_);
        std::swap(stop_, old.stop_);
        return *this;
    }
    ~future_base() {
        if (handle_ != nullptr) tp_future_release(handle_);
    }

    [[nodiscard]] tp_future *release() noexcept { return std::exchange(handle_, nullptr); }

private:
    // Not tp_future_result(): who only waits has not seen the failure, and unhandled_error is still to hear of it.
    tp_status wait_status(std::int64_t timeout) const {
        return tp_wait(&handle_, 1, timeout, TP_WAIT_ALL_COMPLETED, nullptr);
    }

    future_status to_ready(tp_status status) const {
        if (handle_ == nullptr) detail::raise_outcome(handle_, status);
        return detail::to_future_status(status);
    }

    tp_future *handle_ = nullptr;
    detail::stop_hook *stop_ = nullptr;
};

/// The outcome of a task, now or later: a value (T, which may be move-only), a reference (T &), or nothing (void).
/// Move-only. Its end neither waits nor cancels: a task whose future is gone still runs. What the result and the
/// exception hold is freed with the last reference, on whichever thread gives that up.
template <class T>
class [[nodiscard]] future : public future_base {
public:
    static_assert(!std::is_rvalue_reference_v<T> && !std::is_const_v<T>, "a future holds a value, a T &, or void");

    future() noexcept = default; ///< refers to no task
    future(future &&) noexcept = default;
    future &operator=(future &&) noexcept = default;
    future(const future &) = delete;
    future &operator=(const future &) = delete;

    /// Waits, and gives the result, moved out of the task; valid() is false afterwards. Throws what the task threw (the
    /// same object), a task_error, cancelled_error or broken_executor, which use the future up too; or deadlock_error
    /// or forked_error, which do not.
    T get() { return get_within(TP_FOREVER); }

    /// As get(), but throws timeout_error when the time is over first. The future can then be asked again.
    template <class Rep, class Period>
    T get_for(const std::chrono::duration<Rep, Period> &timeout) {
        return get_within(detail::to_timeout(timeout));
    }

    template <class Clock, class Duration>
    T get_until(const std::chrono::time_point<Clock, Duration> &deadline) {
        wait_until(deadline);
        return get_within(0);
    }

    /// Has callback(*this), or callback(), called once when the task has ended: by the worker that ran it, by the
    /// thread that cancelled it, or, if that is past, in this call. get() may return before: the result is the
    /// getter's, so callbacks that read it belong on a shared_future. The callback is moved or copied, and destroyed
    /// after the call. It must not throw: that is std::terminate().
    template <class F>
    void on_done(F &&callback) const {
        detail::call_when_done<future>(native_handle(), std::forward<F>(callback));
    }

    /// Gives the reference up to a future that can be copied; valid() is false afterwards.
    [[nodiscard]] shared_future<T> share() noexcept { return shared_future<T>(std::move(*this)); }

    /// Takes a reference to a C future over. Its result pointer has to point at a T (T &: at what the reference refers
    /// to), for as long as the future lives; for void it is ignored. Null makes a future that refers to no task.
    [[nodiscard]] static future adopt(tp_future *owned) noexcept { return future(owned); }

    /// Gives the reference to the caller, who ends it with tp_future_release(); valid() is false afterwards.
    [[nodiscard]] tp_future *release() noexcept { return future_base::release(); }

#if defined(TPEXEC_HAS_COROUTINES)
    /// co_await future: get() without blocking a thread. The coroutine goes on where the task ended, in a done
    /// callback; to go on as a task, co_await executor.schedule() next. An exception that leaves the coroutine's
    /// resume() there is std::terminate().
    auto operator co_await() & noexcept { return detail::future_awaiter<future &>{*this}; }
    auto operator co_await() && noexcept { return detail::future_awaiter<future>{std::move(*this)}; }
#endif

private:
    friend class executor;

    explicit future(tp_future *owned, detail::stop_hook *stop = nullptr) noexcept : future_base(owned, stop) {}

    T get_within(std::int64_t timeout) {
        void *result = nullptr;
        const tp_status status = tp_future_result(native_handle(), timeout, &result);
        if (status != TP_OK) fail(status);
        const future spent(std::move(*this)); // released when the result has been moved
        if constexpr (std::is_reference_v<T>) {
            return *static_cast<std::remove_reference_t<T> *>(result);
        } else if constexpr (!std::is_void_v<T>) {
            return std::move(*static_cast<T *>(result));
        }
    }

    [[noreturn, gnu::cold, gnu::noinline]] void fail(tp_status status) {
        const bool over = status == TP_ERR_TASK || status == TP_ERR_CANCELLED || status == TP_ERR_BROKEN;
        const future spent(over ? std::move(*this) : future());
        detail::raise_outcome(over ? spent.native_handle() : native_handle(), status);
    }
};

/// A future that can be copied: every copy is a reference to the same task, and get() lets them all look at one result.
/// Several threads use a copy each.
template <class T>
class shared_future : public future_base {
public:
    /// const T &, or T itself where that is void or a reference.
    using reference = std::conditional_t<std::is_void_v<T>, void, std::add_lvalue_reference_t<const T>>;

    shared_future() noexcept = default; ///< refers to no task
    shared_future(future<T> &&other) noexcept : future_base(std::move(other)) {}

    /// Waits, and gives the result, which stays valid for as long as any reference to the task; can be called again.
    /// Throws as future::get() does.
    reference get() const { return get_within(TP_FOREVER); }

    /// As get(), but throws timeout_error when the time is over first.
    template <class Rep, class Period>
    reference get_for(const std::chrono::duration<Rep, Period> &timeout) const {
        return get_within(detail::to_timeout(timeout));
    }

    template <class Clock, class Duration>
    reference get_until(const std::chrono::time_point<Clock, Duration> &deadline) const {
        wait_until(deadline);
        return get_within(0);
    }

    /// As future::on_done(); the callback gets a const shared_future &, which it may read, copy and keep.
    template <class F>
    void on_done(F &&callback) const {
        detail::call_when_done<shared_future>(native_handle(), std::forward<F>(callback));
    }

    /// As future::adopt().
    [[nodiscard]] static shared_future adopt(tp_future *owned) noexcept { return future<T>::adopt(owned); }

    /// As future::release().
    [[nodiscard]] tp_future *release() noexcept { return future_base::release(); }

#if defined(TPEXEC_HAS_COROUTINES)
    /// As for future; gives what get() gives.
    auto operator co_await() const noexcept { return detail::future_awaiter<shared_future>{*this}; }
#endif

private:
    reference get_within(std::int64_t timeout) const {
        void *result = nullptr;
        const tp_status status = tp_future_result(native_handle(), timeout, &result);
        if (status != TP_OK) detail::raise_outcome(native_handle(), status);
        if constexpr (!std::is_void_v<T>) return *static_cast<std::remove_reference_t<reference> *>(result);
    }
};

// ---- submitting ---------------------------------------------------------------------------------------------------------------

/// In a task: whether it should end early, because request_stop() was called for it or its executor was shut down with
/// cancel_futures. False elsewhere.
[[nodiscard]] inline bool stop_requested() noexcept { return tp_task_stop_requested(); }

/// The full name of the worker that is calling, for instance "io_0": in a task, or what else a worker runs. The string is
/// the worker's, valid as long as its thread. Null on threads that are no workers.
[[nodiscard]] inline const char *worker_name() noexcept { return tp_worker_name(); }

namespace detail {

/// Whether a task calls f(std::stop_token, args...), as std::jthread does where it can, rather than f(args...).
#if defined(TPEXEC_HAS_STOP_TOKEN)
template <class F, class... Args>
inline constexpr bool takes_stop_token = std::is_invocable_v<std::decay_t<F>, std::stop_token, std::decay_t<Args>...>;

template <bool TakesToken, class F, class... Args>
struct call_result : std::invoke_result<F, std::stop_token, Args...> {};
#else
template <class F, class... Args>
inline constexpr bool takes_stop_token = false;

template <bool TakesToken, class F, class... Args>
struct call_result;
#endif
template <class F, class... Args>
struct call_result<false, F, Args...> : std::invoke_result<F, Args...> {};

template <class R>
using settled_t = std::conditional_t<std::is_lvalue_reference_v<R>, R, std::remove_cv_t<std::remove_reference_t<R>>>;

} // namespace detail

/// The T of the future that submit(f, args...) returns: what f returns, by value where that is an rvalue reference. Not
/// defined where f cannot be called so.
template <class F, class... Args>
using task_result_t = detail::settled_t<
    typename detail::call_result<detail::takes_stop_token<F, Args...>, std::decay_t<F>, std::decay_t<Args>...>::type>;

namespace detail {

/// Makes the calling task fail with the exception that is being handled, which is kept on the heap.
inline void fail_with_current(const char *what) noexcept {
    auto *box = new (std::nothrow) std::exception_ptr(std::current_exception());
    const tp_drop_fn drop = [](void *boxed) { delete static_cast<std::exception_ptr *>(boxed); };
    if (tp_task_fail_with(exception_code, what, box, drop) != TP_OK) delete box;
}

/// A task's own memory: a function and its arguments until they have been called, then the result, if R is a value.
template <class R, class F, class... Args>
class task {
    static constexpr bool keeps_result = !std::is_void_v<R> && !std::is_reference_v<R>;
    struct none {};
    using closure = std::tuple<F, Args...>;
    using kept = std::conditional_t<keeps_result, R, none>;

public:
    /// Whether there is nothing to do where it goes.
    static constexpr bool trivial =
        std::conjunction_v<std::is_trivially_destructible<F>, std::is_trivially_destructible<Args>...> &&
        std::is_trivially_destructible_v<kept>;

    template <class... Parts>
    explicit task(Parts &&...parts) : closure_(std::forward<Parts>(parts)...) {}
    task(const task &) = delete;
    task &operator=(const task &) = delete;

    ~task() {
        if (held_ == held::closure) std::destroy_at(&closure_);
        if (held_ == held::result) std::destroy_at(&result_);
    }

    void *run() noexcept {
        void *result = nullptr;
        held after = held::nothing;
        attempt(
            [&] {
                if constexpr (keeps_result) {
                    result = ::new (static_cast<void *>(&result_)) R(call());
                    after = held::result;
                } else if constexpr (std::is_reference_v<R>) {
                    result = const_cast<void *>(static_cast<const volatile void *>(std::addressof(call())));
                } else {
                    static_cast<void>(call());
                }
            },
            fail_with_current);
        std::destroy_at(&closure_); // before the future is done: who waits for it finds the arguments gone
        held_ = after;
        return result;
    }

private:
    enum class held : unsigned char { closure, result, nothing };

    decltype(auto) call() {
        return std::apply(
            [](F &f, Args &...args) -> decltype(auto) { return std::invoke(std::move(f), std::move(args)...); },
            closure_);
    }

    union {
        closure closure_;
    };
    union {
        kept result_;
    };
    held held_ = held::closure;
};

/// A task that has been submitted.
template <class Task>
struct launched {
    tp_future *future; // owned
    Task *task;        // valid as long as the future
};

template <class Task>
void destroy_task(void *memory) noexcept {
    std::destroy_at(static_cast<Task *>(memory));
}

/// Makes a Task in the memory of a new C task, and submits it: the library calls run(), and in the end drop. With
/// tp_task_execute the library takes the future, and may have ended the task: nothing of the answer is to be used.
template <class Task, auto Submit = tp_task_launch, class... Parts>
launched<Task> launch(tp_executor *executor, tp_drop_fn drop, Parts &&...parts) {
    tp_future *handle = nullptr;
    void *memory = nullptr;
    check(tp_task_prepare(executor, sizeof(Task), alignof(Task), &handle, &memory));
    future<void> owner = future<void>::adopt(handle);
    Task *task = ::new (memory) Task(std::forward<Parts>(parts)...);
    const tp_task_fn run = [](void *self) noexcept -> void * { return static_cast<Task *>(self)->run(); };
    const tp_status status = Submit(handle, run, drop);
    if (status != TP_OK) {
        std::destroy_at(task);
        raise_status(status);
    }
    return {owner.release(), task};
}

/// A function that fits into the argument of a C task as it is.
template <class F>
inline constexpr bool fits_pointer =
    std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F> && sizeof(F) <= sizeof(void *);

template <class F>
void *run_in_pointer(void *bits) noexcept {
    alignas(F) unsigned char bytes[sizeof(F)];
    std::memcpy(bytes, &bits, sizeof(F));
    attempt([&] { static_cast<void>(std::invoke(std::move(*std::launder(reinterpret_cast<F *>(bytes))))); },
            fail_with_current);
    return nullptr;
}

/// What makes the std::stop_tokens of an executor's tasks hear of its shutdown. Made for the first task that takes one.
struct stop_root : stop_hook {
    void (*destroy)(stop_root *self);
};

#if defined(TPEXEC_HAS_STOP_TOKEN)
template <class Hook>
struct stop_state : Hook {
    std::stop_source source;

    stop_state() { this->request = &stop_now; }

    static void stop_now(stop_hook &self) {
        // A copy: what hears of the request may end this object.
        std::stop_source stopping = static_cast<stop_state &>(self).source;
        stopping.request_stop();
    }
};

/// For an executor.
struct shared_stop_state : stop_state<stop_root> {
    shared_stop_state() {
        destroy = [](stop_root *self) { delete static_cast<shared_stop_state *>(self); };
    }
};

/// A task that takes a std::stop_token: of its own, and asked to stop also when the executor's is.
template <class R, class F, class... Args>
class stoppable_task : public stop_state<stop_hook>, public task<R, F, std::stop_token, Args...> {
public:
    template <class Function, class... Parts>
    explicit stoppable_task(const std::stop_token &executor, Function &&f, Parts &&...parts)
        : task<R, F, std::stop_token, Args...>(std::forward<Function>(f), source.get_token(), std::forward<Parts>(parts)...),
          relay_(executor, relay{this}) {}

private:
    struct relay {
        stop_hook *to;
        void operator()() const { stop_now(*to); }
    };
    std::stop_callback<relay> relay_;
};
#endif

/// A function object of any type, also one that cannot be copied; or none. Where it is to return a bool, returning
/// nothing counts as true.
template <class Signature>
class any_function;

template <class R, class... Args>
class any_function<R(Args...)> {
public:
    any_function() noexcept = default;
    template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, any_function>>,
              class = std::enable_if_t<std::is_invocable_v<std::decay_t<F> &, Args...>>>
    any_function(F &&f) : target_(std::make_unique<holder<std::decay_t<F>>>(std::forward<F>(f))) {}

    explicit operator bool() const noexcept { return target_ != nullptr; }
    R operator()(Args... args) const { return target_->call(std::forward<Args>(args)...); }

private:
    struct base {
        virtual ~base() = default;
        virtual R call(Args... args) = 0;
    };
    template <class F>
    struct holder final : base {
        F f;
        template <class From>
        explicit holder(From &&from) : f(std::forward<From>(from)) {}
        R call(Args... args) override {
            using result = std::invoke_result_t<F &, Args...>;
            if constexpr (std::is_same_v<R, bool> && std::is_void_v<result>) {
                std::invoke(f, std::forward<Args>(args)...);
                return true;
            } else {
                static_assert(std::is_void_v<R> || std::is_same_v<R, result>, "an initializer returns nothing or a bool");
                return static_cast<R>(std::invoke(f, std::forward<Args>(args)...));
            }
        }
    };
    std::unique_ptr<base> target_;
};

/// What hears of unhandled errors: a function object that takes a const tp_error &, or else a std::exception_ptr.
class error_handler : public any_function<void(const tp_error &)> {
public:
    error_handler() noexcept = default;
    template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, error_handler>>>
    error_handler(F &&f) : any_function(adapt(std::forward<F>(f))) {}

private:
    template <class F>
    static auto adapt(F &&f) {
        if constexpr (std::is_invocable_v<std::decay_t<F> &, const tp_error &>) {
            return std::decay_t<F>(std::forward<F>(f));
        } else {
            return [hear = std::decay_t<F>(std::forward<F>(f))](const tp_error &report) mutable {
                std::invoke(hear, to_exception(report));
            };
        }
    }
};

} // namespace detail

// ---- executor -----------------------------------------------------------------------------------------------------------------

/// How an executor is made; every member has a default. In C++20:
///     tp::executor pool({.max_workers = 4, .thread_name_prefix = "io"});
/// The three functions may be of any type and need not be copyable; the executor owns them until neither a worker nor a
/// future can need them any more. Several workers may call one at the same time.
struct executor_options {
    /// Threads at most, up to TP_MAX_WORKERS. 0: min(32, usable CPUs + 4).
    std::size_t max_workers = 0;

    /// Workers are called "<prefix>_<number>". Empty: "tpexec-" and a number that counts executors.
    std::string thread_name_prefix = {};

    /// initializer() runs first on each new worker. If it throws or returns false the executor is broken: tasks that
    /// have not started end with broken_executor, and unhandled_error hears of the exception.
    detail::any_function<bool()> initializer = {};

    /// finalizer() runs last on each worker that was initialized. What it throws goes to unhandled_error.
    detail::any_function<void()> finalizer = {};

    /// unhandled_error(std::exception_ptr), or unhandled_error(const tp_error &) where it takes that, hears of what
    /// tasks threw and nobody asked for: when the last future goes, on that thread; for execute() at once, on the worker.
    /// It must not throw: that is std::terminate(). Not given: such failures pass in silence.
    detail::error_handler unhandled_error = {};

    /// Bytes of stack per worker, at least PTHREAD_STACK_MIN. 0: the system's default for threads.
    std::size_t stack_size = 0;

    /// A worker that has been idle for so long ends, all but one; they come back on demand. 0: workers stay.
    std::chrono::nanoseconds idle_timeout{0};
};

/// For executor::shutdown().
enum class shutdown_flags : unsigned {
    none = 0,
    wait = TP_SHUTDOWN_WAIT,                     ///< return when every worker has ended
    cancel_futures = TP_SHUTDOWN_CANCEL_FUTURES, ///< cancel what is pending, request what runs to stop
};

[[nodiscard]] constexpr shutdown_flags operator|(shutdown_flags a, shutdown_flags b) noexcept {
    return static_cast<shutdown_flags>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

namespace detail {

/// The functions of executor_options, as the C library calls them.
struct executor_hooks {
    any_function<bool()> initializer;
    any_function<void()> finalizer;
    error_handler unhandled_error;

    static int initialize(void *self) noexcept {
        bool ready = false;
        of(self).guard([&] { ready = of(self).initializer(); });
        return ready ? 0 : 1;
    }
    static void finalize(void *self) noexcept {
        of(self).guard([&] { of(self).finalizer(); });
    }
    static void hear(const tp_error *report, void *self) noexcept { of(self).unhandled_error(*report); }
    static void drop(void *self) noexcept { delete &of(self); }

private:
    static executor_hooks &of(void *self) { return *static_cast<executor_hooks *>(self); }

    template <class Body>
    void guard(Body body) noexcept {
        attempt(body, [this](const char *what) {
            std::exception_ptr thrown = std::current_exception();
            tp_error report{};
            report.code = exception_code;
            report.message = what;
            report.payload = &thrown;
            if (unhandled_error) unhandled_error(report);
        });
    }
};

} // namespace detail

template <class Range, class F>
class map_range;

#if defined(TPEXEC_HAS_COROUTINES)
namespace detail {
class schedule_awaiter;
}
#endif

/// A pool of worker threads that run tasks. Move-only. Its end is shutdown(wait): what is pending still runs, and its
/// destructor returns when every worker has ended; on one of its own workers it does not wait. Futures outlive their
/// executor.
class executor {
public:
    /// Makes an executor with that many threads at most; 0: min(32, usable CPUs + 4). They start when tasks need them.
    explicit executor(std::size_t max_workers = 0) : executor(with_workers(max_workers)) {}

    /// Throws invalid_argument_error for numbers out of their range, no_memory_error and system_error.
    explicit executor(executor_options options) {
        tp_executor_config config{};
        config.size = sizeof config;
        config.max_workers = options.max_workers;
        config.thread_name_prefix = options.thread_name_prefix.empty() ? nullptr : options.thread_name_prefix.c_str();
        config.stack_size = options.stack_size;
        config.idle_timeout_ns = options.idle_timeout.count();
        std::unique_ptr<detail::executor_hooks> hooks;
        if (options.initializer || options.finalizer || options.unhandled_error) {
            hooks.reset(new detail::executor_hooks{
                std::move(options.initializer), std::move(options.finalizer), std::move(options.unhandled_error)});
            config.initializer = hooks->initializer ? detail::executor_hooks::initialize : nullptr;
            config.finalizer = hooks->finalizer ? detail::executor_hooks::finalize : nullptr;
            config.unhandled_error = hooks->unhandled_error ? detail::executor_hooks::hear : nullptr;
            config.user_data = hooks.get();
            config.drop_user_data = detail::executor_hooks::drop;
        }
        handle_ = tp_executor_new(&config);
        if (handle_ == nullptr) detail::raise_status(tp_last_error());
        (void)hooks.release(); // the executor's
    }

    executor(executor &&other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)), stop_(other.stop_.exchange(nullptr, std::memory_order_relaxed)) {}
    executor &operator=(executor &&other) noexcept {
        executor old(std::move(*this)); // ends here
        handle_ = std::exchange(other.handle_, nullptr);
        stop_.store(other.stop_.exchange(nullptr, std::memory_order_relaxed), std::memory_order_relaxed);
        return *this;
    }
    ~executor() {
        if (handle_ != nullptr) tp_executor_free(handle_);
        forget_stop();
    }

    /// Submits the task f(args...): a worker will run it, in the order of submission as far as several workers can. The
    /// function and the arguments are copied or moved into the task's one block of memory, as std::thread does
    /// (std::ref for references), and destroyed before the future is done. If f can take a std::stop_token as its first
    /// argument it gets one, as in std::jthread, which hears of future::request_stop() and shutdown(cancel_futures),
    /// but not of the C functions behind them. Throws shutdown_error, broken_executor, system_error, no_memory_error or
    /// forked_error. Does not block.
    template <class F, class... Args>
    [[nodiscard]] future<task_result_t<F, Args...>> submit(F &&f, Args &&...args) {
        using result = task_result_t<F, Args...>;
        const started task = start<tp_task_launch, result>(std::forward<F>(f), std::forward<Args>(args)...);
        return future<result>(task.future, task.stop);
    }

    /// Submits the task f(args...) without a future: what it returns is dropped, and what it throws goes to
    /// unhandled_error. Throws as submit() does. Cheapest for a function object without arguments that is no larger
    /// than a pointer and trivially copyable.
    template <class F, class... Args, class = task_result_t<F, Args...>>
    void execute(F &&f, Args &&...args) {
        using function = std::decay_t<F>;
        if constexpr (sizeof...(Args) == 0 && detail::fits_pointer<function> && !detail::takes_stop_token<F>) {
            const function small(std::forward<F>(f));
            void *bits = nullptr;
            std::memcpy(&bits, std::addressof(small), sizeof small);
            detail::check(tp_execute(handle_, detail::run_in_pointer<function>, bits));
        } else {
            start<tp_task_execute, void>(std::forward<F>(f), std::forward<Args>(args)...);
        }
    }

    /// Submits f(element) for every element of an input range; each task gets a copy of f, and its element by value.
    /// The futures are in the order of the range. If that fails half way, the tasks launched so far are cancelled,
    /// unless they run already, and it throws.
    template <class Range, class F>
    [[nodiscard]] auto submit_many(Range &&range, const F &f) {
        std::vector<future<task_result_t<const F &, decltype(*std::begin(range))>>> futures;
        struct undo {
            decltype(futures) *all;
            ~undo() {
                if (all != nullptr)
                    for (const auto &submitted : *all) submitted.cancel();
            }
        } unless_done{&futures};
        for (auto &&element : range) futures.push_back(submit(f, std::forward<decltype(element)>(element)));
        unless_done.all = nullptr;
        return futures;
    }

    /// Runs f(element) for every element of an input range, which may be endless, and gives an input range over the
    /// results in the order of the elements. At most `lookahead` tasks (default: max_workers()) are submitted beyond
    /// the one that comes out next; the first ones now. Each task gets a copy of f, and its element by value. The
    /// executor and a range that is an lvalue have to outlive the result.
    template <class Range, class F>
    [[nodiscard]] map_range<Range, std::decay_t<F>> map(Range &&range, F &&f) {
        return map(std::forward<Range>(range), std::forward<F>(f), max_workers());
    }
    template <class Range, class F>
    [[nodiscard]] map_range<Range, std::decay_t<F>> map(Range &&range, F &&f, std::size_t lookahead) {
        return {*this, std::forward<Range>(range), std::forward<F>(f), lookahead};
    }

    /// Takes no more tasks from now on. What is pending still runs unless cancelled. May be called again, and with more
    /// flags. Throws deadlock_error for wait on an own worker, when everything but the waiting is done, and
    /// forked_error.
    void shutdown(shutdown_flags flags = shutdown_flags::wait) {
        detail::stop_root *stop = stop_.load(std::memory_order_acquire);
        const auto bits = static_cast<std::uint32_t>(flags);
        if ((bits & TP_SHUTDOWN_CANCEL_FUTURES) != 0 && stop != nullptr) {
            // Before the waiting: what it waits for may wait for this.
            detail::check(tp_executor_shutdown(handle_, bits & ~TP_SHUTDOWN_WAIT));
            stop->request(*stop);
        }
        detail::check(tp_executor_shutdown(handle_, bits));
    }

    /// Waits, after shutdown(), until every task, callback and worker has ended. Throws invalid_state_error without
    /// shutdown(), deadlock_error on an own worker, forked_error.
    void join() { detail::check(tp_executor_join(handle_, TP_FOREVER)); }

    /// As join(), with a limit: ready, or timeout while something still runs.
    template <class Rep, class Period>
    future_status join(const std::chrono::duration<Rep, Period> &timeout) {
        return detail::to_future_status(tp_executor_join(handle_, detail::to_timeout(timeout)));
    }

    /// As the destructor, but without waiting: what is pending still runs, then the threads end by themselves.
    void detach() noexcept { tp_executor_detach(release()); }

    [[nodiscard]] std::size_t max_workers() const noexcept { return tp_executor_max_workers(handle_); }     ///< threads at most
    [[nodiscard]] std::size_t worker_count() const noexcept { return tp_executor_worker_count(handle_); }   ///< threads now
    [[nodiscard]] std::size_t pending_count() const noexcept { return tp_executor_pending_count(handle_); } ///< not started yet

    /// The C handle, borrowed; null once moved from, detached or released.
    [[nodiscard]] tp_executor *native_handle() const noexcept { return handle_; }

    /// Takes a C executor over: what tp_executor_free() would be called for.
    [[nodiscard]] static executor adopt(tp_executor *owned) noexcept { return executor(owned); }

    /// Gives the executor to the caller, who ends it with tp_executor_free() or tp_executor_detach().
    [[nodiscard]] tp_executor *release() noexcept {
        forget_stop();
        return std::exchange(handle_, nullptr);
    }

#if defined(TPEXEC_HAS_COROUTINES)
    /// co_await pool.schedule(): the coroutine goes on as a task of this executor. Throws, in the coroutine, what
    /// submit() throws, and cancelled_error if the task is cancelled by shutdown(), or the executor breaks, before its
    /// turn: then it goes on in that call. What leaves the coroutine's resume() goes to unhandled_error. The coroutine
    /// must not be destroyed while it waits. The thread that it comes from may still be in this call when the coroutine
    /// has ended: if that is another executor's worker, this executor must outlive that one.
    [[nodiscard]] detail::schedule_awaiter schedule() noexcept;
#endif

private:
    explicit executor(tp_executor *owned) noexcept : handle_(owned) {}

    static executor_options with_workers(std::size_t max_workers) {
        executor_options options;
        options.max_workers = max_workers;
        return options;
    }

    struct started {
        tp_future *future;       // owned
        detail::stop_hook *stop; // null: takes no std::stop_token
    };

    template <auto Submit, class R, class F, class... Args>
    started start(F &&f, Args &&...args) {
        if constexpr (detail::takes_stop_token<F, Args...>) {
#if defined(TPEXEC_HAS_STOP_TOKEN)
            using task = detail::stoppable_task<R, std::decay_t<F>, std::decay_t<Args>...>;
            const auto [future, hook] = detail::launch<task, Submit>(
                handle_, detail::destroy_task<task>, stop_token(), std::forward<F>(f), std::forward<Args>(args)...);
            return {future, hook};
#endif
        } else {
            using task = detail::task<R, std::decay_t<F>, std::decay_t<Args>...>;
            const tp_drop_fn drop = task::trivial ? nullptr : detail::destroy_task<task>;
            return {detail::launch<task, Submit>(handle_, drop, std::forward<F>(f), std::forward<Args>(args)...).future, nullptr};
        }
    }

    void forget_stop() noexcept {
        if (detail::stop_root *stop = stop_.exchange(nullptr, std::memory_order_relaxed)) stop->destroy(stop);
    }

#if defined(TPEXEC_HAS_STOP_TOKEN)
    std::stop_token stop_token() {
        detail::stop_root *stop = stop_.load(std::memory_order_acquire);
        if (stop == nullptr) {
            auto made = std::make_unique<detail::shared_stop_state>();
            if (stop_.compare_exchange_strong(stop, made.get(), std::memory_order_acq_rel)) stop = made.release();
        }
        return static_cast<detail::shared_stop_state *>(stop)->source.get_token();
    }
#endif

    tp_executor *handle_ = nullptr;
    std::atomic<detail::stop_root *> stop_{nullptr};
};

// ---- waiting for several ------------------------------------------------------------------------------------------------------

/// What wait() waits for.
enum class when {
    all_completed = TP_WAIT_ALL_COMPLETED,     ///< all futures to be done
    first_completed = TP_WAIT_FIRST_COMPLETED, ///< one future to be done
    first_failed = TP_WAIT_FIRST_FAILED,       ///< one to have failed (cancelled is not failed), or all to be done
};

/// What wait() found.
struct wait_result {
    future_status status; ///< whether what was waited for has happened
    std::size_t done;     ///< how many of the futures are done
};

namespace detail {

inline tp_future *handle_of(tp_future *future) noexcept { return future; }
inline tp_future *handle_of(const future_base &future) noexcept { return future.native_handle(); }

template <class Range>
std::vector<tp_future *> handles_of(Range &range) {
    std::vector<tp_future *> handles;
    for (auto &&future : range) handles.push_back(handle_of(future));
    return handles;
}

template <class Range>
wait_result wait(Range &range, std::int64_t timeout, when what) {
    const std::vector<tp_future *> handles = handles_of(range);
    wait_result result{};
    const auto c_what = static_cast<tp_wait_for>(what);
    result.status = to_future_status(tp_wait(handles.data(), handles.size(), timeout, c_what, &result.done));
    return result;
}

/// An iterator that can only go forward, once: what its range has for it.
template <class Range, class Value, class Reference>
class range_iterator {
public:
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = Value;
    using reference = Reference;
    using difference_type = std::ptrdiff_t;
    using pointer = void;

    struct sentinel {};

    range_iterator() noexcept = default;
    explicit range_iterator(Range &range) noexcept : range_(&range) {}

    reference operator*() const { return range_->current(); }
    range_iterator &operator++() {
        range_->next();
        return *this;
    }
    void operator++(int) { range_->next(); }

    friend bool operator==(const range_iterator &i, sentinel) noexcept { return i.at_end(); }
    friend bool operator!=(const range_iterator &i, sentinel) noexcept { return !i.at_end(); }
    friend bool operator==(sentinel, const range_iterator &i) noexcept { return i.at_end(); }
    friend bool operator!=(sentinel, const range_iterator &i) noexcept { return !i.at_end(); }

private:
    bool at_end() const noexcept { return range_->ended(); }

    Range *range_ = nullptr;
};

} // namespace detail

/// Waits for a range of futures (future, shared_future or tp_future *), of whichever executors; on a worker it runs
/// those pending in its own executor itself. How the tasks ended is left to each future. Throws invalid_argument_error
/// if one refers to no task, deadlock_error if a wait for all could never end, forked_error, no_memory_error.
template <class Range>
wait_result wait(Range &&range, when what = when::all_completed) {
    return detail::wait(range, TP_FOREVER, what);
}

/// As above, with a limit.
template <class Range, class Rep, class Period>
wait_result wait(Range &&range, const std::chrono::duration<Rep, Period> &timeout, when what = when::all_completed) {
    return detail::wait(range, detail::to_timeout(timeout), what);
}

/// One future of those given to as_completed(), and its place among them.
template <class Future>
struct completion {
    std::size_t index;
    Future &future;
};

/// What as_completed() returns: an input range of completions.
template <class Range>
class completion_range {
    using element = std::remove_reference_t<decltype(*std::begin(std::declval<std::remove_reference_t<Range> &>()))>;

public:
    using value_type = completion<element>;
    using iterator = detail::range_iterator<completion_range, value_type, value_type>;
    using sentinel = typename iterator::sentinel;

    completion_range(Range &&range, std::int64_t timeout) : range_(std::forward<Range>(range)) {
        for (auto &future : range_) futures_.push_back(std::addressof(future));
        const std::vector<tp_future *> handles = detail::handles_of(range_);
        queue_.reset(tp_as_completed(handles.data(), handles.size()));
        if (queue_ == nullptr) detail::raise_status(tp_last_error());
        if (timeout != TP_FOREVER) deadline_ = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout);
    }
    completion_range(const completion_range &) = delete;
    completion_range &operator=(const completion_range &) = delete;

    /// Waits for the first future to be done; like ++ for the next it throws timeout_error when the time is over.
    [[nodiscard]] iterator begin() {
        next();
        return iterator(*this);
    }
    [[nodiscard]] sentinel end() noexcept { return {}; }

private:
    friend iterator;

    struct free_queue {
        void operator()(tp_completion_queue *queue) const noexcept { tp_completion_queue_free(queue); }
    };

    value_type current() const noexcept { return {index_, *futures_[index_]}; }
    bool ended() const noexcept { return ended_; }

    void next() {
        constexpr auto forever = std::chrono::steady_clock::time_point::max();
        const std::int64_t timeout =
            deadline_ == forever ? TP_FOREVER : detail::to_timeout(deadline_ - std::chrono::steady_clock::now());
        std::uint64_t tag = 0;
        const tp_status status = tp_completion_queue_next(queue_.get(), timeout, nullptr, &tag);
        ended_ = status == TP_END;
        if (!ended_) detail::check(status);
        index_ = static_cast<std::size_t>(tag);
    }

    Range range_; // a reference, or the range itself where it was a temporary
    std::vector<element *> futures_;
    std::unique_ptr<tp_completion_queue, free_queue> queue_;
    std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
    std::size_t index_ = 0;
    bool ended_ = false;
};

/// The futures of a range in the order in which they complete, cancelled ones like any other:
///     for (auto [index, future] : tp::as_completed(futures)) use(index, future.get());
/// `future` is a reference to the one in the range, which has to stay as it is meanwhile. Breaking off cancels nothing.
template <class Range>
[[nodiscard]] completion_range<Range> as_completed(Range &&range) {
    return {std::forward<Range>(range), TP_FOREVER};
}

/// As above, with a limit for the whole iteration.
template <class Range, class Rep, class Period>
[[nodiscard]] completion_range<Range> as_completed(Range &&range, const std::chrono::duration<Rep, Period> &timeout) {
    return {std::forward<Range>(range), detail::to_timeout(timeout)};
}

// ---- map ----------------------------------------------------------------------------------------------------------------------

/// What executor::map() returns: an input range over the results in the order of the elements. Its end cancels what is
/// pending and does not wait for what runs. One thread at a time.
template <class Range, class F>
class map_range {
    using source = std::remove_reference_t<Range>;
    using element = decltype(*std::begin(std::declval<source &>()));
    using result = task_result_t<const F &, element>;
    static_assert(!std::is_void_v<result>, "map() is for functions that return something; use submit_many()");

public:
    using value_type = std::remove_cv_t<std::remove_reference_t<result>>;
    using iterator = detail::range_iterator<map_range, value_type, std::remove_reference_t<result> &>;
    using sentinel = typename iterator::sentinel;

    map_range(executor &executor, Range &&range, F f, std::size_t lookahead)
        : executor_(&executor), range_(std::forward<Range>(range)), f_(std::move(f)), lookahead_(lookahead),
          position_(std::begin(range_)), end_(std::end(range_)) {
        submit_more();
    }
    map_range(const map_range &) = delete;
    map_range &operator=(const map_range &) = delete;
    ~map_range() {
        for (const item &pending : items_) pending.submitted.cancel();
    }

    /// An iterator to the first result. *i waits, and gives a reference that is valid until ++i: what it refers to may
    /// be moved from. It throws what the task threw, or why its submission was refused; ++i then goes on with the next.
    [[nodiscard]] iterator begin() noexcept { return iterator(*this); }
    [[nodiscard]] sentinel end() noexcept { return {}; }

    /// Waits, with a limit, until the result that comes out next can be had without waiting. Ready also where *i will
    /// throw, and where there are no more.
    template <class Rep, class Period>
    future_status wait_for(const std::chrono::duration<Rep, Period> &timeout) const {
        return settled() ? future_status::ready : items_.front().submitted.wait_for(timeout);
    }

    template <class Clock, class Duration>
    future_status wait_until(const std::chrono::time_point<Clock, Duration> &deadline) const {
        return settled() ? future_status::ready : items_.front().submitted.wait_until(deadline);
    }

private:
    friend iterator;

    struct item {
        future<result> submitted;
        std::exception_ptr refusal;
    };

    bool ended() const noexcept { return items_.empty(); }

    /// There is no task to wait for: the end, or a submission that was refused.
    bool settled() const noexcept { return ended() || !items_.front().submitted.valid(); }

    std::remove_reference_t<result> &current() const {
        const item &first = items_.front();
#if defined(__cpp_exceptions)
        if (first.refusal != nullptr) std::rethrow_exception(first.refusal);
#endif
        void *found = nullptr;
        const tp_status status = tp_future_result(first.submitted.native_handle(), TP_FOREVER, &found);
        if (status != TP_OK) detail::raise_outcome(first.submitted.native_handle(), status);
        return *static_cast<std::remove_reference_t<result> *>(found);
    }

    void next() {
        items_.pop_front();
        submit_more();
    }

    void submit_more() {
        while (position_ != end_ && items_.size() <= lookahead_) {
            item &added = items_.emplace_back();
            detail::attempt([&] { added.submitted = executor_->submit(std::as_const(f_), *position_); },
                            [&](const char *) { added.refusal = std::current_exception(); });
            ++position_;
        }
    }

    executor *executor_;
    Range range_; // a reference, or the range itself where it was a temporary
    F f_;
    std::size_t lookahead_;
    decltype(std::begin(std::declval<source &>())) position_;
    decltype(std::end(std::declval<source &>())) end_;
    std::deque<item> items_;
};

// ---- coroutines ---------------------------------------------------------------------------------------------------------------

#if defined(TPEXEC_HAS_COROUTINES)
namespace detail {

/// What co_await executor.schedule() does: the coroutine is resumed by a task.
class schedule_awaiter {
public:
    explicit schedule_awaiter(tp_executor *executor) noexcept : executor_(executor) {}

    bool await_ready() const noexcept { return false; }

    // Not inline, for the reason that future_awaiter gives.
    [[gnu::noinline]] void await_suspend(std::coroutine_handle<> waiting) {
        launch<resumption, tp_task_execute>(executor_, resumption::drop, *this, waiting);
    }

    void await_resume() const {
        if (dropped_) raise_status(TP_ERR_CANCELLED);
    }

private:
    struct resumption {
        schedule_awaiter &awaiter;
        std::coroutine_handle<> waiting; // null once resumed

        resumption(schedule_awaiter &by, std::coroutine_handle<> coroutine) noexcept : awaiter(by), waiting(coroutine) {}

        void *run() noexcept {
            attempt([this] { std::exchange(waiting, nullptr).resume(); },
                    fail_with_current);
            return nullptr;
        }

        static void drop(void *memory) noexcept {
            auto *self = static_cast<resumption *>(memory);
            if (!self->waiting) return;
            self->awaiter.dropped_ = true;
            self->waiting.resume();
        }
    };

    tp_executor *executor_;
    bool dropped_ = false;
};

} // namespace detail

inline detail::schedule_awaiter executor::schedule() noexcept { return detail::schedule_awaiter(handle_); }
#endif

} // namespace tp

#undef TPEXEC_VISIBLE
#endif
