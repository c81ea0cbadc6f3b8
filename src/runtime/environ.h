/* The environment variables: one table, read when a runtime is created. */
#ifndef FILCH_RUNTIME_ENVIRON_H
#define FILCH_RUNTIME_ENVIRON_H

#include <filch/runtime.h>

/*
 * What is in force: the fields given (non-zero), else the environment (unless it is to be ignored),
 * else the defaults. -EINVAL: `error` says variable or field, value, and what is accepted.
 */
int filch__environ_load(struct filch_options *effective, const struct filch_options *given,
			char *error, size_t error_size);

/* To the log hook, or to stderr when a level is set and there is none. Silent by default. */
__attribute__((format(printf, 3, 4))) void filch__environ_log(const struct filch_options *options,
							      enum filch_log_level level,
							      const char *format, ...);

#endif
