/* The function of each mix; used by mixes.c, which names them, and by the file of each. */
#ifndef TPEXEC_SOAK_MIXES_H
#define TPEXEC_SOAK_MIXES_H

#include "lane.h"

void run_windows(lane *l);
void run_execute(lane *l);
void run_submit_many(lane *l);
void run_cancel(lane *l);
void run_trees(lane *l);
void run_maps(lane *l);
void run_queues(lane *l);
void run_polls(lane *l);
void run_callbacks(lane *l);
void run_failures(lane *l);
void run_order(lane *l);
void run_executors(lane *l);
void run_initializers(lane *l);

#endif
