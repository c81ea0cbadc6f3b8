/* What the files of the token room share. */
#ifndef FILCH_WAKE_TOKEN_TREE_H
#define FILCH_WAKE_TOKEN_TREE_H

#include <filch/token.h>

/* Makes the token READY and links it and its ancestors, from the bottom up. */
void filch__token_link(struct filch_token *token);

/* Where the token's deadline and its tasks are; cancels read it under the lock. */
void filch__token_set_scheduler(struct filch_token *token, void *scheduler);

/* Under the token's lock. */
void filch__callback_unlink(struct filch_token_callback *callback);
void filch__callback_run_begin(struct filch_token_callback *callback);
/* The last touch. */
void filch__callback_run_end(struct filch_token_callback *callback);

#endif
