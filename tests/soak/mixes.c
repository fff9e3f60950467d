/* The list of all mixes. To add one: a file with its function, a line in mixes.h, and one here. */
#include "mixes.h"

mix mixes[] = {
    {run_windows, {.name = "windows"}},
    {run_execute, {.name = "execute"}},
    {run_submit_many, {.name = "submit_many"}},
    {run_cancel, {.name = "cancel"}},
    {run_trees, {.name = "trees"}},
    {run_maps, {.name = "maps"}},
    {run_queues, {.name = "queues"}},
    {run_polls, {.name = "polls"}},
    {run_callbacks, {.name = "callbacks"}},
    {run_failures, {.name = "failures"}},
    {run_order, {.name = "order"}},
    {run_executors, {.name = "executors"}},
    {run_initializers, {.name = "initializers"}},
};

const size_t n_mixes = sizeof mixes / sizeof mixes[0];
