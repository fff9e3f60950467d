// pwc_terminal.cpp: what pwc.cpp writes. The progress line is wiped before anything else comes onto its terminal.
#include "pwc.hpp"

#include <mutex>

#include <unistd.h>

namespace {

const bool progress = isatty(STDERR_FILENO), lines_on_terminal = isatty(STDOUT_FILENO);

std::mutex lock; // for the two streams, and for what follows
bool progress_shown, has_complained;

void wipe()
{
    if (progress_shown) std::fputs("\r\033[K", stderr);
    progress_shown = false;
}

} // namespace

void terminal::print(const counts &found, const wanted &columns, const std::string &name)
{
    const std::lock_guard<std::mutex> alone(lock);
    if (lines_on_terminal) wipe();
    counts_print(&found, &columns, name.c_str());
}

void terminal::complain(const std::string &name, const std::string &why)
{
    const std::lock_guard<std::mutex> alone(lock);
    std::fflush(stdout); // on a terminal the message belongs below the lines before it
    wipe();
    std::fputs("pwc: ", stderr);
    name_print_quoted(stderr, name.c_str());
    std::fprintf(stderr, ": %s\n", why.c_str());
    has_complained = true;
}

bool terminal::complained()
{
    const std::lock_guard<std::mutex> alone(lock);
    return has_complained;
}

void terminal::say(const char *message)
{
    const std::lock_guard<std::mutex> alone(lock);
    wipe();
    std::fprintf(stderr, "pwc: %s\n", message);
}

void terminal::show_progress(std::size_t counted, std::size_t all)
{
    const std::lock_guard<std::mutex> alone(lock);
    std::fflush(stdout);
    if (!progress) return;
    std::fprintf(stderr, "\r\033[K%zu of %zu files", counted, all);
    progress_shown = true;
}

void terminal::end_progress()
{
    const std::lock_guard<std::mutex> alone(lock);
    wipe();
}
