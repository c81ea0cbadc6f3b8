/* Notifications: wake one, the newest or all; one is kept for who comes late. */
#ifndef FILCH_NOTIFY_H
#define FILCH_NOTIFY_H

#include <filch/line.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * "Something has changed, look again", between tasks and plain threads, of any runtime. A
 * notification that finds nobody waiting is kept, one at most, for the next wait. All-zero
 * is valid; nothing is allocated.
 *
 *	filch_mailbox_push(mailbox, letter);
 *	filch_notify_one(&mailbox->arrived);
 *
 * One consumer may look and then wait, as one notification is kept. Several, or with
 * filch_notify_all, which keeps none, must register before they look:
 *
 *	struct filch_notify_ticket ticket;
 *
 *	filch_notify_register(&mailbox->arrived, &ticket);
 *	if (is_empty(mailbox))
 *		status = filch_notify_ticket_wait(&ticket);
 *	else
 *		filch_notify_unregister(&ticket);
 */
struct filch_notify {
	struct filch_line line;
	void *room[2];
};

#define FILCH_NOTIFY_INIT                                                                          \
	{                                                                                          \
		FILCH_LINE_INIT(0),                                                                \
		{                                                                                  \
			0, 0                                                                       \
		}                                                                                  \
	}

/* A place in the line, in the caller's memory, from the registration to its end. */
struct filch_notify_ticket {
	struct filch_notify *notify; /* NULL: not registered */
	void *room[15];
};

struct filch_notify_statistics {
	bool kept; /* a notification is there for the next wait */
	unsigned waiting;
	uint64_t contended; /* waits that had to park, and registrations */
};

/* Context: task or thread; may park. Order: what was done before the notification is seen. Returns
 * 0, -ECANCELED (then none is used up), -EINVAL, -EPERM in a timer's callback. */
FILCH_API int filch_notify_wait(struct filch_notify *notify);
/* Also -ETIMEDOUT (a deadline that has passed: without parking), -ENOMEM. */
FILCH_API int filch_notify_wait_until(struct filch_notify *notify, filch_time deadline);
/* 0 when one was kept, else -EAGAIN. Looks at no scope. */
FILCH_API int filch_notify_try_wait(struct filch_notify *notify);

/* The three: context: any task or thread, a timer's callback, too; do not park. 0, -EINVAL. The
 * object may be freed as soon as who waited goes on. */
/* To who has waited longest; kept when nobody does. */
FILCH_API int filch_notify_one(struct filch_notify *notify);
/* To who came last; kept when nobody waits. */
FILCH_API int filch_notify_last(struct filch_notify *notify);
/* To everybody who waits or is registered now. None is kept. */
FILCH_API int filch_notify_all(struct filch_notify *notify);

/* From now on the ticket is notified as if it waited. Context: task or thread; does not park. 0,
 * -EINVAL, -EPERM in a timer's callback. Not again before its end. */
FILCH_API int filch_notify_register(struct filch_notify *notify,
				    struct filch_notify_ticket *ticket);
/* As filch_notify_wait, in the ticket's place. Whatever it returns but -EAGAIN ends the
 * registration; -EINVAL when there is none. Used by one task at a time. */
FILCH_API int filch_notify_ticket_wait(struct filch_notify_ticket *ticket);
FILCH_API int filch_notify_ticket_wait_until(struct filch_notify_ticket *ticket,
					     filch_time deadline);
FILCH_API int filch_notify_ticket_try_wait(struct filch_notify_ticket *ticket);
/* Ends it, if it has not ended. A notification that it has got from filch_notify_one or _last goes
 * to the next in the same direction, or is kept. NULL is accepted. */
FILCH_API void filch_notify_unregister(struct filch_notify_ticket *ticket);

/* 0; -EBUSY when somebody waits or is registered. NULL is accepted. */
FILCH_API int filch_notify_fini(struct filch_notify *notify);
FILCH_API void filch_notify_get_statistics(struct filch_notify *notify,
					   struct filch_notify_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
