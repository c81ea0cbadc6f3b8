/* Types and conventions that every filch header shares. */
#ifndef FILCH_TYPES_H
#define FILCH_TYPES_H

#include <filch/word.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FILCH_API __attribute__((visibility("default")))
#else
#define FILCH_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Errors. Every call that can fail returns 0 or a negative errno; errno itself is
 * neither set nor read (it does not survive a park).
 *
 *   -EAGAIN      a try_ form would have to park
 *   -ETIMEDOUT   the deadline passed
 *   -ECANCELED   the scope the caller is in has been cancelled
 *   -EDEADLK     the wait could never end (waiting for oneself or an ancestor)
 *   -EPIPE       closed, shut down, or the other side is gone
 *   -ENODATA     nothing is left, and nothing will come
 *   -EBADF       this end of a channel has been closed
 *   -EOVERFLOW   values were lost by who was too slow; more given back than taken
 *   -EALREADY    it was done before, and can be done only once
 *   -ENOTRECOVERABLE  broken: a barrier, a parking lot
 *   -EINVAL      an argument is NULL, out of range, or of another runtime
 *   -EBUSY       the object is in a state that forbids the call
 *   -EPERM       the caller is not the owner, or in the wrong context
 *   -EOWNERDEAD  the lock's owner ended holding it
 *   -ENOMEM      no memory, no stack
 *   -ESHUTDOWN   the runtime no longer accepts work, or belongs to the parent of a fork
 */

/* A point on CLOCK_MONOTONIC, or a span, in nanoseconds. */
typedef int64_t filch_time;

#define FILCH_NEVER INT64_MAX
#define FILCH_MICROSECOND ((filch_time)1000)
#define FILCH_MILLISECOND ((filch_time)1000000)
#define FILCH_SECOND ((filch_time)1000000000)

/* A task: 0 or positive is success, a negative errno is failure. */
typedef int filch_task_fn(void *arg);
/* A predicate: 1 true, 0 false, or a negative errno, which goes to the caller. */
typedef int filch_predicate_fn(void *arg);

struct filch_group;
struct filch_runtime;
struct filch_task;
struct filch_token;

#ifdef __cplusplus
}
#endif

#endif
