/* An event: set or not; who waits goes on once it is set. */
#ifndef FILCH_EVENT_H
#define FILCH_EVENT_H

#include <filch/line.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A flag that tasks and plain threads, of any runtime, wait for. It stays set until it is
 * cleared. All-zero is an event that is not set; nothing is allocated.
 *
 *	static struct filch_event ready;
 *
 *	filch_event_set(&ready);	in one task
 *	filch_event_wait(&ready);	in any number of others
 *
 * Setting wakes everybody who waits at that moment, also when it is cleared right after. Not from a
 * signal handler: setting takes locks that the interrupted code may hold. A handler writes to a
 * pipe or an eventfd, and whoever reads that sets the event.
 */
struct filch_event {
	struct filch_line line;
	void *room[2];
};

#define FILCH_EVENT_INIT                                                                           \
	{                                                                                          \
		FILCH_LINE_INIT(0),                                                                \
		{                                                                                  \
			0, 0                                                                       \
		}                                                                                  \
	}

struct filch_event_statistics {
	bool set;
	unsigned waiting;
	uint64_t contended; /* waits that had to park */
};

/* Context: task or thread; may park. Order: what was done before it was set is seen. Returns 0,
 * -ECANCELED (also when it is set), -EINVAL, -EPERM in a timer's callback. */
FILCH_API int filch_event_wait(struct filch_event *event);
/* Also -ETIMEDOUT (a deadline that has passed: without parking), -ENOMEM. */
FILCH_API int filch_event_wait_until(struct filch_event *event, filch_time deadline);
/* 0 when it is set, else -EAGAIN. Looks at no scope. */
FILCH_API int filch_event_try_wait(struct filch_event *event);

/* Both: context: any task or thread, a timer's callback, too; does not park. 0, -EINVAL. The event
 * may be freed as soon as who waited for it goes on. */
FILCH_API int filch_event_set(struct filch_event *event);
FILCH_API int filch_event_clear(struct filch_event *event);
/* True of one instant; true: with the order of a wait. */
FILCH_API bool filch_event_is_set(const struct filch_event *event);

/* 0; -EBUSY when somebody waits. NULL is accepted. */
FILCH_API int filch_event_fini(struct filch_event *event);
FILCH_API void filch_event_get_statistics(struct filch_event *event,
					  struct filch_event_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
