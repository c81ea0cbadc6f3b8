/* What holds of every wait: one outcome, nothing lost, no early return, no lock held outwards. */
#include "platform/sanitizer.h"
#include "sched/permits.h"
#include "task/play.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* ---- Grants and cancels at the same moment: G1, G3 ---- */

#define WAITERS 60
#define PERMITS 20

struct crowd {
	struct permits permits;
	struct filch_task *task[WAITERS];
	int parked, acquired;
};

static int acquire_one(void *arg)
{
	struct crowd *crowd = arg;
	int status;

	flag_add(&crowd->parked);
	status = permits_acquire(&crowd->permits);
	if (status == 0)
		flag_add(&crowd->acquired);
	return status;
}

static int cancel_every_third(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < WAITERS; i += 3)
		filch_task_cancel(crowd->task[i], 0);
	return 0;
}

static int release_some(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < PERMITS; i++)
		permits_release(&crowd->permits);
	return 0;
}

static int one_crowd(void)
{
	struct filch_group_options options = { .size = sizeof(options),
					       .policy = FILCH_GROUP_SUPERVISE };
	struct crowd crowd = { .parked = 0 };
	struct filch_group waiting, acting;

	filch_group_open(&waiting, &options);
	for (int i = 0; i < WAITERS; i++)
		filch_group_spawn_with(&waiting, NULL, acquire_one, &crowd, &crowd.task[i]);
	flag_await(&crowd.parked, WAITERS);
	filch_group_open(&acting, NULL);
	filch_group_spawn(&acting, release_some, &crowd);
	filch_group_spawn(&acting, cancel_every_third, &crowd);
	filch_group_close(&acting);
	/* Forty at least are not cancelled: each permit finds one of them. */
	flag_await(&crowd.acquired, PERMITS);
	filch_group_cancel(&waiting, 0);
	filch_group_close(&waiting);
	cr_expect_eq(crowd.acquired, PERMITS);
	cr_expect_eq(crowd.permits.count, 0);
	cr_expect(list_is_empty(&crowd.permits.waiters));
	cr_expect_null(waiting.token.waiters);
	for (int i = 0; i < WAITERS; i++)
		filch_task_release(crowd.task[i]);
	return 0;
}

static int many_crowds(void *arg)
{
	(void)arg;
	for (int i = 0; i < (sanitize_is_thread() ? 20 : 200); i++)
		one_crowd();
	return 0;
}

Test(wait, as_many_proceed_as_are_granted_however_many_are_cancelled, .timeout = 60)
{
	play(many_crowds);
}

/* ---- No lock is held outwards: G4 ---- */

struct nosy {
	struct filch_token token;
	struct filch_token_callback first, second, third;
	struct filch_timer timer;
	int ran, fired;
};

static void count_nosy(void *arg)
{
	flag_add(&((struct nosy *)arg)->ran);
}

/* Uses the very token that is being cancelled. */
static void look_around(void *arg)
{
	struct nosy *nosy = arg;

	cr_expect(!filch_token_cancel(&nosy->token, 0));
	cr_expect_eq(filch_token_reason(&nosy->token), -EINTR);
	cr_expect_eq(filch_token_set_deadline(&nosy->token, FILCH_SECOND), -EBUSY);
	cr_expect(filch_token_remove_callback(&nosy->third));
	cr_expect_eq(filch_token_add_callback(&nosy->token, &nosy->third, count_nosy, nosy), 0);
	cr_expect_eq(filch_timer_start(&nosy->timer, filch_now()), 0);
	flag_add(&nosy->ran);
}

/* Restarts its own timer, twice. */
static void fire_again(void *arg)
{
	struct nosy *nosy = arg;

	flag_add(&nosy->fired);
	if (flag_get(&nosy->fired) < 3)
		cr_expect_eq(filch_timer_start(&nosy->timer, filch_now()), 0);
	filch_token_cancel(&nosy->token, 0);
}

static int callbacks_call_back(void *arg)
{
	struct nosy nosy;

	(void)arg;
	memset(&nosy, 0, sizeof(nosy));
	filch_token_init(&nosy.token);
	filch_timer_init(&nosy.timer, NULL, fire_again, &nosy);
	filch_token_add_callback(&nosy.token, &nosy.first, look_around, &nosy);
	filch_token_add_callback(&nosy.token, &nosy.second, count_nosy, &nosy);
	filch_token_add_callback(&nosy.token, &nosy.third, count_nosy, &nosy);
	cr_expect(filch_token_cancel(&nosy.token, -EINTR));
	flag_await(&nosy.ran, 3);
	flag_await(&nosy.fired, 3);
	filch_timer_fini(&nosy.timer);
	cr_expect_eq(filch_token_fini(&nosy.token), 0);
	return 0;
}

Test(wait, callbacks_may_use_what_calls_them)
{
	play(callbacks_call_back);
}

/* The hook for failures nobody asks for starts work in the runtime that reports them. */
static int spoken, done;

static int speak(void *arg)
{
	(void)arg;
	flag_add(&done);
	return 0;
}

static void submit_from_hook(const char *task, int status, void *context)
{
	(void)task, (void)status, (void)context;
	cr_expect_eq(filch_runtime_submit(filch_runtime_current(), NULL, speak, NULL, NULL), 0);
	flag_add(&spoken);
}

static int fail_unseen(void *arg)
{
	struct filch_group_options options = { .size = sizeof(options),
					       .policy = FILCH_GROUP_SUPERVISE };
	struct filch_group group;
	int status = -EIO;

	(void)arg;
	filch_group_open(&group, &options);
	for (int i = 0; i < 10; i++)
		filch_group_spawn(&group, return_int, &status);
	filch_group_close(&group);
	flag_await(&done, 10);
	return 0;
}

Test(wait, the_hook_of_failures_may_submit_tasks)
{
	struct filch_options options = { .size = sizeof(options),
					 .workers = 2,
					 .unobserved = submit_from_hook };

	cr_assert_eq(filch_run_with(&options, fail_unseen, NULL), 0);
	cr_assert_eq(spoken, 10);
}

/* ---- What need not park does not yield: G6, G7, G8 ---- */

static int polls(void *arg)
{
	struct filch_group group;
	struct filch_task *ended, *waiting;
	int ran = 0, status = 1;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, do_nothing, NULL, &ended);
	cr_expect_eq(filch_task_wait(ended, NULL), 0);
	filch_group_spawn_with(&group, NULL, count_up, &ran, &waiting);
	for (int i = 0; i < 10; i++) { /* within a budget */
		cr_expect_eq(filch_task_wait(ended, &status), 0);
		cr_expect_eq(status, 0);
		cr_expect_eq(filch_task_wait_until(ended, NULL, 0), 0);
		cr_expect_eq(filch_task_try_wait(ended, NULL), 0);
		cr_expect_eq(filch_task_try_wait(waiting, NULL), -EAGAIN);
		cr_expect_eq(filch_task_wait_until(waiting, NULL, 0), -ETIMEDOUT);
		cr_expect_eq(filch_task_wait_until(waiting, NULL, -1), -ETIMEDOUT);
		cr_expect_eq(filch_task_wait_until(waiting, NULL, filch_now()), -ETIMEDOUT);
		cr_expect_eq(filch_checkpoint(), 0);
	}
	cr_expect_eq(flag_get(&ran), 0); /* one worker: nothing above has given it away */
	cr_expect_eq(filch_task_wait(waiting, NULL), 0);
	cr_expect_eq(ran, 1);
	filch_task_release(ended);
	filch_task_release(waiting);
	return filch_group_close(&group);
}

Test(wait, what_is_there_is_had_without_a_yield_and_a_poll_never_parks)
{
	cr_assert_eq(run_with(1, polls, NULL), 0);
}

/* ---- Far deadlines: G9 ---- */

static const filch_time far[] = { FILCH_NEVER, FILCH_NEVER - 1, FILCH_NEVER / 2 + 1,
				  FILCH_NEVER - FILCH_SECOND };

static int sleep_far(void *arg)
{
	return filch_sleep_until(*(const filch_time *)arg);
}

static int sleep_long(void *arg)
{
	return filch_sleep(*(const filch_time *)arg);
}

static int wait_far(void *arg)
{
	struct filch_group group;
	struct filch_task *task;
	int status;

	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, sleep_for_ever, NULL, &task);
	status = filch_task_wait_until(task, NULL, *(const filch_time *)arg);
	if (status == 0)
		status = filch_checkpoint(); /* a cancel may have ended the other first */
	filch_task_release(task);
	filch_group_close(&group);
	return status;
}

static void expire_far(void *arg)
{
	flag_add(arg);
}

static int sleeps_far(void *arg)
{
	struct filch_task *task[12];
	struct filch_timer timer;
	struct filch_token token;
	struct filch_group group;
	int fired = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 4; i++) {
		void *deadline = (void *)(uintptr_t)&far[i];

		filch_group_spawn_with(&group, NULL, sleep_far, deadline, &task[3 * i]);
		filch_group_spawn_with(&group, NULL, sleep_long, deadline, &task[3 * i + 1]);
		filch_group_spawn_with(&group, NULL, wait_far, deadline, &task[3 * i + 2]);
	}
	filch_timer_init(&timer, NULL, expire_far, &fired);
	filch_timer_start(&timer, FILCH_NEVER - 1);
	filch_token_init(&token);
	filch_token_set_deadline(&token, FILCH_NEVER - 1);
	filch_sleep(5 * FILCH_MILLISECOND);
	for (int i = 0; i < 12; i++)
		cr_expect_eq(filch_task_try_wait(task[i], NULL), -EAGAIN, "%d", i);
	cr_expect(filch_timer_stop(&timer));
	cr_expect_eq(fired, 0);
	cr_expect(!filch_token_expired(&token));
	filch_token_fini(&token);
	filch_timer_fini(&timer);
	filch_group_cancel(&group, 0);
	cr_expect_eq(filch_group_close(&group), 0);
	for (int i = 0; i < 12; i++) {
		cr_expect(filch_task_was_cancelled(task[i]), "%d", i);
		filch_task_release(task[i]);
	}
	return 0;
}

Test(wait, deadlines_at_the_end_of_time_neither_overflow_nor_fire)
{
	play(sleeps_far);
}

/* ---- Freed by who was woken: G12; seen by who was woken: G13 ---- */

struct parcel {
	struct filch_group group;
	struct filch_token token;
	int plain[2];
};

static int fill_first(void *arg)
{
	((struct parcel *)arg)->plain[0] = 1;
	return 0;
}

static int fill_second(void *arg)
{
	((struct parcel *)arg)->plain[1] = 2;
	return 0;
}

static int frees_at_once(void *arg)
{
	(void)arg;
	for (int i = 0; i < (sanitize_is_thread() ? 300 : 3000); i++) {
		struct parcel *parcel = malloc(sizeof(*parcel));
		struct filch_task *task;

		filch_group_open(&parcel->group, NULL);
		filch_group_spawn(&parcel->group, fill_first, parcel);
		filch_group_spawn_with(&parcel->group, NULL, fill_second, parcel, &task);
		cr_expect_eq(filch_task_wait(task, NULL), 0);
		cr_expect_eq(parcel->plain[1], 2);
		filch_task_release(task);
		cr_expect_eq(filch_group_close(&parcel->group), 0);
		cr_expect_eq(parcel->plain[0], 1);
		free(parcel);
	}
	return 0;
}

Test(wait, what_was_waited_for_may_be_freed_at_once_and_its_work_is_seen)
{
	play(frees_at_once);
}

static int fill_and_end(void *arg)
{
	((struct parcel *)arg)->plain[0] = 1;
	return 0;
}

Test(wait, a_thread_that_was_woken_sees_the_work_and_may_free)
{
	struct filch_options options = { .size = sizeof(options), .workers = 2 };
	struct filch_runtime *runtime;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	for (int i = 0; i < 2000; i++) {
		struct parcel *parcel = calloc(1, sizeof(*parcel));
		struct filch_task *task;

		cr_assert_eq(filch_runtime_submit(runtime, NULL, fill_and_end, parcel, &task), 0);
		cr_assert_eq(filch_task_wait(task, NULL), 0);
		cr_assert_eq(parcel->plain[0], 1);
		filch_task_release(task);
		free(parcel);
	}
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

/* ---- What is in use is not ended: G11 ---- */

static int ends_in_use(void *arg)
{
	struct filch_token token;

	(void)arg;
	filch_token_init(&token);
	filch_scope_enter(&token);
	cr_expect_eq(filch_token_fini(&token), -EBUSY);
	filch_token_cancel(&token, 0);
	cr_expect_eq(filch_sleep(1), -ECANCELED); /* it still applies */
	filch_scope_leave(&token);
	cr_expect_eq(filch_token_fini(&token), 0);
	cr_expect_eq(filch_runtime_destroy(filch_runtime_current()), -EDEADLK);
	return 0;
}

Test(wait, what_is_in_use_is_not_ended)
{
	play(ends_in_use);
}

/* ---- Signals: G14, G15 ---- */

static int signals;

static void note_signal(int number)
{
	(void)number;
	flag_add(&signals);
}

static int sleep_exactly(void *arg)
{
	int *early = arg;

	for (int i = 1; i <= 10; i++) {
		filch_time begin = filch_now();

		cr_expect_eq(filch_sleep(i * 500 * FILCH_MICROSECOND), 0);
		if (filch_now() - begin < i * 500 * FILCH_MICROSECOND)
			flag_add(early);
	}
	return 0;
}

struct storm {
	struct filch_runtime *runtime;
	int early;
};

/* A thread, not deaf to signals, sleeps and awaits tasks. */
static void *weather_it(void *arg)
{
	struct storm *storm = arg;
	struct filch_task *task;

	cr_expect_eq(filch_runtime_submit(storm->runtime, NULL, sleep_exactly, &storm->early, &task),
		     0);
	sleep_exactly(&storm->early);
	cr_expect_eq(filch_task_wait(task, NULL), 0);
	cr_expect_eq(filch_task_try_wait(task, NULL), 0);
	filch_task_release(task);
	return NULL;
}

Test(wait, a_storm_of_signals_ends_no_wait_early)
{
	struct filch_options options = { .size = sizeof(options), .workers = 2 };
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action, before;
	struct storm storm = { .early = 0 };
	pthread_t threads[3];

	memset(&action, 0, sizeof(action));
	action.sa_handler = note_signal; /* without SA_RESTART */
	cr_assert_eq(sigaction(SIGALRM, &action, &before), 0);
	cr_assert_eq(filch_runtime_create(&storm.runtime, &options), 0);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, weather_it, &storm);
	for (int i = 0; i < 50; i++) {
		for (int k = 0; k < 3; k++)
			pthread_kill(threads[k], SIGALRM);
		filch_sleep(FILCH_MILLISECOND / 2);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	cr_assert_eq(filch_runtime_destroy(storm.runtime), 0);
	sigaction(SIGALRM, &before, NULL);
	cr_assert_eq(storm.early, 0);
	cr_assert_gt(signals, 0);
}
