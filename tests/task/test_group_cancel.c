/* Groups: cancels from outside, and of very many. */
#include "platform/sanitizer.h"
#include "task/play.h"

static int inside_group(void *arg)
{
	struct team *team = arg;
	int closed;

	filch_group_open(&team->group, NULL);
	filch_group_spawn(&team->group, sleep_and_count, &team->ended);
	filch_group_spawn(&team->group, waits_for_go, team);
	closed = filch_group_close(&team->group);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	flag_add(&team->ended);
	return closed;
}

/* TG6, CN18: the join goes on until the last child has ended, then the cancel is told. */
static int outer_cancel(void *arg)
{
	struct team team = { .ended = 0 };
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, inside_group, &team);
	flag_await(&team.ready, 1);
	filch_group_cancel(&group, 0);
	flag_await(&team.ended, 1); /* the sleeper has been woken, */
	for (int i = 0; i < 5; i++)
		filch_yield();
	cr_expect_eq(flag_get(&team.ended), 1); /* the other child holds the group open */
	flag_add(&team.go);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(team.ended, 2);
	return 0;
}

Test(group, an_outer_cancel_is_told_when_the_children_have_ended)
{
	play(outer_cancel);
}

static int fails_inside(void *arg)
{
	struct team *team = arg;

	filch_group_open(&team->group, NULL);
	filch_group_spawn(&team->group, fail_when_told, team);
	filch_group_spawn(&team->group, waits_for_go, team);
	cr_expect_eq(filch_group_close(&team->group), -EIO);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	return filch_checkpoint();
}

/* TG7: the group's error does not swallow the outer cancel. */
static int cancel_and_error(void *arg)
{
	struct team team = { .status = -EIO };
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, fails_inside, &team);
	flag_await(&team.ready, 1);
	filch_group_cancel(&group, 0);
	flag_add(&team.go);
	cr_expect_eq(filch_group_close(&group), 0);
	return 0;
}

Test(group, an_outer_cancel_is_not_swallowed_by_an_error)
{
	play(cancel_and_error);
}

/* TG8: an outer deadline passes while a cancelled group drains. */
static int drains_past_a_deadline(void *arg)
{
	struct team team = { .ended = 0 };
	struct filch_token outer;

	(void)arg;
	filch_token_init(&outer);
	filch_scope_enter(&outer);
	filch_group_open(&team.group, NULL);
	filch_group_spawn(&team.group, waits_for_go, &team);
	filch_group_spawn(&team.group, tell, &team);
	filch_group_cancel(&team.group, 0);
	filch_token_set_deadline(&outer, filch_now());
	cr_expect_eq(filch_group_close(&team.group), -ECANCELED);
	cr_expect_eq(filch_sleep(FILCH_NEVER), -ECANCELED);
	filch_scope_leave(&outer);
	cr_expect(filch_token_expired(&outer));
	filch_token_fini(&outer);
	return 0;
}

Test(group, an_outer_deadline_fires_while_a_cancelled_group_drains)
{
	play(drains_past_a_deadline);
}

/* TG17 */
static int closes_empty(void *arg)
{
	struct filch_token token;
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	cr_expect_eq(filch_group_close(&group), 0);
	filch_token_init(&token);
	filch_scope_enter(&token);
	filch_group_open(&group, NULL);
	filch_token_cancel(&token, 0);
	cr_expect_eq(filch_group_close(&group), -ECANCELED);
	filch_scope_leave(&token);
	filch_token_fini(&token);
	return 0;
}

Test(group, closing_an_empty_group_sees_a_pending_cancel)
{
	play(closes_empty);
}

/* TG12: and its own children, too. */
static int born_cancelled(void *arg)
{
	struct filch_task_options skip = { .size = sizeof(skip), .skip_if_cancelled = true };
	struct filch_group group;
	struct filch_task *task;
	int plain = 1, skipped = 1, status = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_cancel(&group, -EINTR);
	cr_expect_eq(filch_group_spawn(&group, note_checkpoint, &plain), 0);
	cr_expect_eq(filch_group_spawn_with(&group, &skip, note_checkpoint, &skipped, &task), 0);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(plain, -ECANCELED);
	cr_expect_eq(skipped, 1);
	cr_expect_eq(filch_task_try_wait(task, &status), 0);
	cr_expect_eq(status, -ECANCELED);
	cr_expect(filch_task_was_cancelled(task));
	cr_expect_eq(filch_task_reason(task), -EINTR);
	filch_task_release(task);
	return 0;
}

Test(group, a_child_of_a_cancelled_group_starts_unless_it_asked_to_be_skipped)
{
	play(born_cancelled);
}

/* ---- Many: TG19, CN22 ---- */

static int cancels_a_hundred_thousand(void *arg)
{
	enum { COUNT = 100000 };
	struct filch_group group;
	int woken = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < COUNT; i++)
		if (filch_group_spawn(&group, sleep_and_count, &woken) != 0)
			cr_expect(false, "child %d", i);
	cr_expect(filch_group_cancel(&group, 0));
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(flag_get(&woken), COUNT);
	return 0;
}

Test(group, a_hundred_thousand_children_are_cancelled, .timeout = 100)
{
	play(cancels_a_hundred_thousand);
}

static int cancels_the_parked(void *arg)
{
	struct filch_group group;
	int woken = 0, count = sanitize_is_thread() || sanitize_is_address() ? 300 : 3000;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < count; i++)
		filch_group_spawn(&group, sleep_and_count, &woken);
	for (int i = 0; i < 3; i++)
		filch_yield();
	cr_expect(filch_group_cancel(&group, 0));
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(flag_get(&woken), count);
	cr_expect_null(group.token.waiters); /* G1, G2 */
	return 0;
}

Test(group, thousands_of_parked_children_come_back_and_leave_no_entry, .timeout = 60)
{
	play(cancels_the_parked);
}

/* ---- Readiness ---- */

struct pending_start {
	struct team team;
	struct filch_token token; /* of the scope in which the start is called */
};

static int says_that_it_runs(void *arg)
{
	struct team *team = arg;

	flag_add(&team->ready);
	return sleep_and_count(&team->ended);
}

static int starts_what_never_gets_ready(void *arg)
{
	struct pending_start *pending = arg;
	struct team *team = &pending->team;
	struct filch_task *task = NULL;

	cr_expect_eq(filch_scope_enter(&pending->token), 0);
	cr_expect_eq(filch_group_start(&team->group, NULL, says_that_it_runs, team, NULL, &task),
		     -ECANCELED);
	filch_scope_leave(&pending->token);
	cr_expect_null(task);
	cr_expect_eq(flag_get(&team->ended), 1); /* it was cancelled, and has ended */
	flag_add(&team->status);
	return 0;
}

/* TG15: the start is withdrawn, the group and its other children go on. */
static int withdraws_a_start(void *arg)
{
	struct pending_start pending = { .team = { .ended = 0 } };
	struct team *team = &pending.team;

	(void)arg;
	filch_token_init_below(&pending.token, NULL, 0);
	filch_group_open(&team->group, NULL);
	filch_group_spawn(&team->group, waits_for_go, team);
	filch_group_spawn(&team->group, starts_what_never_gets_ready, &pending);
	flag_await(&team->ready, 2);
	filch_token_cancel(&pending.token, 0);
	flag_await(&team->status, 1);
	cr_expect_eq(filch_checkpoint(), 0);
	flag_add(&team->go);
	cr_expect_eq(filch_group_close(&team->group), 0);
	filch_token_fini(&pending.token);
	return 0;
}

Test(group, a_start_that_is_cancelled_cancels_that_child_alone)
{
	play(withdraws_a_start);
}

static int gets_ready_late(void *arg)
{
	struct team *team = arg;

	flag_add(&team->ready);
	flag_await(&team->go, 1);
	cr_expect_eq(filch_task_started(team), 0);
	cr_expect_eq(filch_task_started(team), -EALREADY);
	return end_late(&team->ended);
}

static int starts_late_one(void *arg)
{
	struct team *team = arg;
	void *value = NULL;

	cr_expect_eq(filch_group_start(&team->group, NULL, gets_ready_late, team, &value, NULL), 0);
	cr_expect_eq(value, team);
	return 0;
}

static int tells_when_pending(void *arg)
{
	struct team *team = arg;

	flag_await(&team->ready, 1);
	for (int i = 0; i < 5; i++)
		filch_yield();
	cr_expect_eq(flag_get(&team->ended), 0);
	return tell(team);
}

/* TG16: the owner closes while a start is pending. */
static int starts_pending(void *arg)
{
	struct team team = { .ended = 0 };

	(void)arg;
	filch_group_open(&team.group, NULL);
	filch_group_spawn(&team.group, starts_late_one, &team);
	filch_group_spawn(&team.group, tells_when_pending, &team);
	cr_expect_eq(filch_group_close(&team.group), 0);
	cr_expect_eq(team.ended, 1);
	return 0;
}

Test(group, a_pending_start_keeps_the_group_open)
{
	play(starts_pending);
}
