/* Tokens in simulation: callbacks, scopes within each other, deadlines. */
#include "sim/crew.h"

static struct filch_token token;
static struct filch_event bell;
static unsigned running, ran, removed;

static void reset(void)
{
	memset(&bell, 0, sizeof(bell));
	filch_token_init_below(&token, NULL, 0);
	running = ran = removed = 0;
}

static void call(void *arg)
{
	unsigned *mine = arg;

	++*mine;
	running++;
	filch_event_set(&bell); /* somebody else may go on here */
	running--;
	ran++;
	++*mine;
}

static int add_and_remove(struct player *self)
{
	if (self->index == 0) {
		crew_pause();
		filch_token_cancel(&token, 0);
		return 0;
	}
	for (int i = 0; i < 2; i++) {
		struct filch_token_callback callback;
		unsigned mine = 0;

		seeds_check(filch_token_add_callback(&token, &callback, call, &mine) == 0);
		crew_pause();
		if (filch_token_remove_callback(&callback)) {
			removed++;
			seeds_check(mine == 0);
		} else {
			seeds_check(mine == 2); /* has run, and is over */
		}
	}
	return 0;
}

static int callbacks(void *arg)
{
	int status = crew_run(4, add_and_remove);

	(void)arg;
	seeds_check(running == 0);
	seeds_check(status < 0 || ran + removed == 6);
	seeds_check(filch_token_fini(&token) == 0);
	return status;
}

Test(token, a_callback_that_was_not_removed_has_run_to_its_end, .timeout = 110)
{
	static const struct scenario scenario = { "callbacks", callbacks, reset, 0 };

	seeds_explore(&scenario, 10000);
}

/* ---- Scopes with deadlines ---- */

static int wait_within(filch_time inner, filch_time outer)
{
	struct filch_token inside, outside;
	int status;

	seeds_check(filch_token_init(&outside) == 0 && filch_scope_enter(&outside) == 0);
	seeds_check(filch_token_init(&inside) == 0 && filch_scope_enter(&inside) == 0);
	filch_token_set_deadline(&outside, outer);
	filch_token_set_deadline(&inside, inner);
	status = filch_event_wait(&bell);
	seeds_check(status == 0 || status == -ECANCELED || status == -ENOMEM);
	/* Who has expired has had its time, and not both in one go. */
	seeds_check(!filch_token_expired(&inside) || filch_now() >= inner);
	seeds_check(!filch_token_expired(&outside) || filch_now() >= outer);
	if (status == -ECANCELED && filch_token_expired(&outside))
		seeds_check(!filch_token_expired(&inside) || inner <= outer);
	seeds_check(filch_scope_leave(&inside) == 0 && filch_token_fini(&inside) == 0);
	seeds_check(filch_scope_leave(&outside) == 0 && filch_token_fini(&outside) == 0);
	return status;
}

static int wait_or_ring(struct player *self)
{
	filch_time now = filch_now();

	if (self->index > 0)
		return wait_within(now + 1 + seeds_pick(4), now + 1 + seeds_pick(4));
	filch_sleep(1 + seeds_pick(4));
	filch_event_set(&bell);
	return 0;
}

static int deadlines(void *arg)
{
	int status = crew_run(4, wait_or_ring);

	(void)arg;
	seeds_check(filch_event_fini(&bell) == 0);
	seeds_check(filch_token_fini(&token) == 0);
	return status;
}

Test(token, a_wait_within_two_deadlines_ends_with_the_first, .timeout = 110)
{
	static const struct scenario scenario = { "deadlines", deadlines, reset, 0 };

	seeds_explore(&scenario, 10000);
}
