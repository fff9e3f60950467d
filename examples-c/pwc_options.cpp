// pwc_options.cpp: what the command line asks pwc.cpp to do.
#include "pwc.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include <getopt.h>
#include <tpexec.h>

namespace {

constexpr char usage[] = R"(Usage: pwc [OPTION]... PATH...
Counts lines, words and bytes of each regular file at and below each PATH, many files at a time, in the order of their names.

  -l                  lines only; -l, -w and -c can be combined
  -w                  words only
  -c                  bytes only
  -j N                N threads; by default as many as libtpexec thinks good
      --as-completed  print each file when it is counted, in whatever order that is
  -h, --help          print this text
      --version       print the version
)";

[[noreturn]] void wrong_use()
{
    std::fputs("Try 'pwc --help' for more information.\n", stderr);
    std::exit(2);
}

std::size_t read_workers(const char *text)
{
    std::size_t n = 0;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), n);
    if (error != std::errc() || *end != '\0' || n == 0 || n > TP_MAX_WORKERS) {
        std::fprintf(stderr, "pwc: -j takes a number from 1 to %d, not '%s'\n", TP_MAX_WORKERS, text);
        wrong_use();
    }
    return n;
}

} // namespace

options read_options(int argc, char **argv)
{
    enum { as_completed = 256, version };
    constexpr option names[] = {{"as-completed", no_argument, nullptr, as_completed},
                                {"help", no_argument, nullptr, 'h'},
                                {"version", no_argument, nullptr, version},
                                {nullptr, 0, nullptr, 0}};
    options given;
    for (int option; (option = getopt_long(argc, argv, "j:lwch", names, nullptr)) != -1;) {
        switch (option) {
        case 'j': given.workers = read_workers(optarg); break;
        case 'l': given.columns.lines = true; break;
        case 'w': given.columns.words = true; break;
        case 'c': given.columns.bytes = true; break;
        case as_completed: given.as_completed = true; break;
        case 'h': std::fputs(usage, stdout); std::exit(0);
        case version: std::printf("pwc, an example of libtpexec %s\n", tp_version_string()); std::exit(0);
        default: wrong_use(); // getopt has said what is wrong
        }
    }
    if (optind == argc) {
        std::fputs("pwc: missing operand\n", stderr);
        wrong_use();
    }
    given.paths.assign(argv + optind, argv + argc);
    if (!given.columns.lines && !given.columns.words && !given.columns.bytes) given.columns = {true, true, true};
    return given;
}
