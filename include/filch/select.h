/* Waiting for whichever of several things comes first. */
#ifndef FILCH_SELECT_H
#define FILCH_SELECT_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct filch_barrier;
struct filch_event;
struct filch_lock;
struct filch_notify;
struct filch_queue;
struct filch_receiver;
struct filch_semaphore;
struct filch_sender;

/*
 * An arm is an operation that may be carried out: exactly one of the arms is, the others have no
 * effect and hold nothing.
 *
 *	struct filch_arm arms[] = {
 *		filch_queue_get_arm(&requests, &request),
 *		filch_token_arm(&stop),
 *		filch_timer_arm(filch_now() + FILCH_SECOND),
 *	};
 *	size_t index;
 *
 *	status = filch_select_wait(arms, 3, 0, &index);
 *	if (status == 0 && index == 0 && arms[0].status == 0)
 *		serve(request);
 *
 * An arm fires with the status its own call would return, errors included: one that is closed is
 * always ready. Of several that are ready one is chosen at random, with FILCH_SELECT_ORDERED the
 * first in the array. The objects must live until the select has returned. Arms may be used
 * again.
 */
struct filch_arm {
	const void *kind;
	void *object;
	void *value;	 /* what is put, or where to */
	uint64_t number; /* a deadline; how many */
	int status;	 /* of the arm that fired */
	bool disabled;	 /* as if it were not there */
	uint32_t order;
	void *room[14]; /* the library's */
};

#define FILCH_SELECT_ORDERED 1u

/*
 * Context: task or thread; the first two may park. 0 and the index of the arm that fired;
 * -ECANCELED, -EINVAL (arms, but all disabled), -ENOMEM. Without arms it waits for the deadline or
 * a cancel.
 */
FILCH_API int filch_select_wait(struct filch_arm *arms, size_t count, unsigned flags,
				size_t *index);
/* Also -ETIMEDOUT. */
FILCH_API int filch_select_wait_until(struct filch_arm *arms, size_t count, unsigned flags,
				      size_t *index, filch_time deadline);
/* -EAGAIN when there was an instant at which no arm was ready. */
FILCH_API int filch_select_try_wait(struct filch_arm *arms, size_t count, unsigned flags,
				    size_t *index);

/*
 * The arms. An object that is NULL: never ready.
 * An element is copied at once when the arm fires; it must stay until the select returns.
 */
FILCH_API struct filch_arm filch_queue_put_arm(struct filch_queue *queue, const void *element);
FILCH_API struct filch_arm filch_queue_get_arm(struct filch_queue *queue, void *element);
FILCH_API struct filch_arm filch_sender_arm(struct filch_sender *sender, const void *element);
FILCH_API struct filch_arm filch_receiver_arm(struct filch_receiver *receiver, void *element);
/* Fires with the lock held, or the error. */
FILCH_API struct filch_arm filch_lock_arm(struct filch_lock *lock);
/* Fires with so many permits, or the error. */
FILCH_API struct filch_arm filch_semaphore_arm(struct filch_semaphore *semaphore, int64_t permits);
FILCH_API struct filch_arm filch_event_arm(struct filch_event *event);
/* Fires with a notification, which is nobody else's then. */
FILCH_API struct filch_arm filch_notify_arm(struct filch_notify *notify);
/* Comes to the barrier, once per select, and leaves it again unless it fires, also where that would
 * break it for who waits without a select. `index` may be NULL. */
FILCH_API struct filch_arm filch_barrier_arm(struct filch_barrier *barrier, unsigned *index);
/* The task's end. `status` may be NULL. */
FILCH_API struct filch_arm filch_task_arm(struct filch_task *task, int *status);
/* The token's cancel. */
FILCH_API struct filch_arm filch_token_arm(struct filch_token *token);
FILCH_API struct filch_arm filch_timer_arm(filch_time deadline);

#ifdef __cplusplus
}
#endif

#endif
