/* Waiting for any change of an object; who is woken looks again. */
#ifndef FILCH_SYNC_CHANGE_H
#define FILCH_SYNC_CHANGE_H

#include "data/spin.h"
#include "wake/wait.h"

/* The deadline of the try_ forms. */
#define CHANGE_TRY INT64_MIN

/*
 * With the guard, which is released. 0: something has changed: to be looked at with the guard taken
 * again, and by that the waker is done with the object. -EAGAIN, -ETIMEDOUT, -ECANCELED, -ENOMEM.
 */
int filch__change_wait(struct spin *guard, struct list *waiters, filch_time deadline);
/* With the guard. */
void filch__change_wake_all(struct list *waiters);
/* How many wait now. Takes the guard. */
unsigned filch__change_count(struct spin *guard, const struct list *waiters);

#endif
