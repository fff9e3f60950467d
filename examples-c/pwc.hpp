// pwc.hpp: the parts of pwc.cpp that know nothing of tasks: what the command line asks for (pwc_options.cpp), what is written
// (pwc_terminal.cpp), and, the same as for pwc.c, which files there are and what wc says about one (pwc.h).
#ifndef PWC_HPP
#define PWC_HPP
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

extern "C" {
#include "pwc.h"
}

struct options {
    wanted columns{};
    bool as_completed = false;
    std::size_t workers = 0;        // 0: the library's default
    std::vector<std::string> paths; // at least one
};

// Exits where there is nothing to count.
options read_options(int argc, char **argv);

// Standard output and standard error: the lines, the messages and, if that is a terminal, how far the counting is. Any thread may
// call.
namespace terminal {

void print(const counts &found, const wanted &columns, const std::string &name);
void complain(const std::string &name, const std::string &why);
bool complained(); // at least once
void say(const char *message);

void show_progress(std::size_t counted, std::size_t all); // also lets the reader see the lines there are so far
void end_progress();

} // namespace terminal

#endif
