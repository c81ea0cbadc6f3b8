/* The environment variables: one table, read when a runtime is created. */
#ifndef FILCH_RUNTIME_ENVIRON_H
#define FILCH_RUNTIME_ENVIRON_H

#include <filch/runtime.h>

/*
 * What is in force: the fields given (non-zero), else the environment (unless it is to be ignored),
 * else the defaults. Automatic workers are counted, the stack size is rounded up to pages.
 * 0, or -EINVAL: `error` says variable or field, value, and what is accepted, and
 * `effective` is good for filch__environ_log only. A wrong variable is an error even where
 * a given field wins over it. Unknown FILCH_ names are a warning in the log.
 */
int filch__environ_load(struct filch_options *effective, const struct filch_options *given,
			char *error, size_t error_size);

/*
 * To the log hook, or to stderr when there is none: what the level in force admits. At level
 * off the hook gets everything and stderr nothing.
 */
__attribute__((format(printf, 3, 4))) void filch__environ_log(const struct filch_options *options,
							      enum filch_log_level level,
							      const char *format, ...);

#endif
