/* What the files of the token room share. */
#ifndef FILCH_WAKE_TOKEN_TREE_H
#define FILCH_WAKE_TOKEN_TREE_H

#include <filch/token.h>

struct scheduler;

/* Makes the token READY and links it and its ancestors, from the bottom up. */
void filch__token_link(struct filch_token *token);

/*
 * Where the token's timer and its tasks are; cancels read it under the lock. Called while the timer
 * is not armed: it belongs to a heap of that runtime from then on.
 */
void filch__token_set_scheduler(struct filch_token *token, void *scheduler);
/*
 * The token that is being entered now belongs to this runtime, its deadline, too; NULL: a plain
 * thread enters. `foreign`: it is not entered in its parent. -ENOMEM.
 */
int filch__token_bring(struct filch_token *token, bool foreign, struct scheduler *scheduler);
/* When the token's timer is due: at its own deadline or, in a task, at one in its charge. */
filch_time filch__token_due(struct filch_token *token);
/* The user's token above this one, pinned: it stays until it is unpinned. NULL: there is none. */
struct filch_token *filch__token_pin_parent(struct filch_token *token);
void filch__token_unpin(struct filch_token *token);
/* Waits until no canceller knows the token. */
void filch__token_wait_for_pins(struct filch_token *token);
/* Takes the deadline away. After the return it does not expire any more. */
void filch__token_disarm(struct filch_token *token);

/* Under the token's lock. */
void filch__callback_unlink(struct filch_token_callback *callback);
void filch__callback_run_begin(struct filch_token_callback *callback);
/* The last touch. */
void filch__callback_run_end(struct filch_token_callback *callback);
/* The callback by which an entered token, its argument, hears of the enclosing scope's cancel. A
 * canceller does not call it but goes on with that token: no recursion. */
void filch__enclosing_cancelled(void *token);

#endif
