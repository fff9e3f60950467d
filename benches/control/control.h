/* The C face of the control pool (src/lib.rs), which the benchmark measures libtpexec against. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stddef.h>

typedef struct control_pool control_pool;

control_pool *control_pool_new(size_t workers);
void control_pool_free(control_pool *pool); /* runs what was submitted, ends the threads */
void *control_submit(const control_pool *pool, void *(*fn)(void *), void *arg);
void *control_result(void *handle); /* waits, frees the handle */
void control_execute(const control_pool *pool, void *(*fn)(void *), void *arg);

#endif
