/* The limiter: so many borrowers, each known, however the total changes. */
#include "sync/waiters.h"

/* `amount` is the borrower: an address that is nobody's. */
static int borrow(struct call *call)
{
	struct filch_loan loan;
	const void *borrower = (const void *)(uintptr_t)call->amount;
	int status = filch_limiter_acquire_for_until(call->object, &loan, borrower, call->deadline);

	if (status < 0)
		return status;
	flag_add(&call->done);
	flag_await(&call->done, 2);
	return filch_limiter_release_for(call->object, borrower);
}

static struct filch_limiter_statistics look(struct filch_limiter *limiter)
{
	struct filch_limiter_statistics statistics;

	filch_limiter_get_statistics(limiter, &statistics);
	return statistics;
}

static struct call *in_line(struct scene *scene, struct filch_limiter *limiter, int64_t borrower)
{
	unsigned waiting = look(limiter).waiting;
	struct call *call = scene_call(scene, borrow, limiter, borrower);

	await_that(look(limiter).waiting == waiting + 1);
	call_await_parked(call);
	return call;
}

/* Has borrowed, and may give it back. */
static void let_go(struct call *call)
{
	flag_await(&call->done, 1);
	flag_add(&call->done);
}

/* SM20, SM21, G5, G8, G10, G11: misuse. */
static int is_misused(void *arg)
{
	struct filch_limiter limiter = FILCH_LIMITER_INIT(2);
	struct filch_loan loan, other;
	struct filch_token token;
	int somebody;

	(void)arg;
	cr_expect_eq(filch_limiter_release(&limiter), -EPERM);
	cr_expect_eq(filch_limiter_acquire(&limiter, &loan), 0);
	cr_expect_eq(filch_limiter_acquire(&limiter, &other), -EDEADLK);
	cr_expect_eq(filch_limiter_try_acquire(&limiter, &other), -EDEADLK);
	cr_expect_eq(filch_limiter_acquire_until(&limiter, &other, 0), -EDEADLK);
	cr_expect_eq(filch_limiter_release_for(&limiter, &somebody), -EPERM);
	cr_expect_eq(filch_limiter_fini(&limiter), -EBUSY);
	enter_cancelled(&token);
	cr_expect_eq(filch_limiter_acquire_for(&limiter, &other, &somebody), -ECANCELED);
	cr_expect_eq(look(&limiter).borrowed, 1);
	cr_expect_eq(filch_limiter_try_acquire_for(&limiter, &other, &somebody), 0);
	leave_cancelled(&token);
	cr_expect_eq(look(&limiter).borrowed, 2);
	cr_expect_eq(filch_limiter_release_for(&limiter, &somebody), 0);
	cr_expect_eq(filch_limiter_release_for(&limiter, &somebody), -EPERM);
	cr_expect_eq(filch_limiter_set_total(&limiter, 1), 0);
	cr_expect_eq(filch_limiter_acquire_for_until(&limiter, &other, &somebody, 0), -ETIMEDOUT);
	cr_expect_eq(filch_limiter_acquire_for_until(&limiter, &other, &somebody,
						     filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	cr_expect_eq(filch_limiter_try_acquire_for(&limiter, &other, &somebody), -EAGAIN);
	cr_expect_eq(filch_limiter_release(&limiter), 0);
	cr_expect_eq(filch_limiter_acquire(NULL, &loan), -EINVAL);
	cr_expect_eq(filch_limiter_acquire(&limiter, NULL), -EINVAL);
	cr_expect_eq(filch_limiter_acquire_for(&limiter, &loan, NULL), -EINVAL);
	cr_expect_eq(filch_limiter_release_for(&limiter, NULL), -EINVAL);
	cr_expect_eq(filch_limiter_release(NULL), -EINVAL);
	cr_expect_eq(filch_limiter_set_total(NULL, 1), -EINVAL);
	cr_expect_eq(look(&limiter).borrowed, 0);
	cr_expect_eq(filch_limiter_acquire(&limiter, &loan), 0);
	cr_expect_eq(filch_limiter_release(&limiter), 0);
	cr_expect_eq(filch_limiter_fini(&limiter), 0);
	cr_expect_eq(filch_limiter_fini(NULL), 0);
	return 0;
}

Test(limiter, knows_who_holds_a_loan_and_refuses_all_else)
{
	play(is_misused);
	cr_assert_eq(is_misused(NULL), 0);
}

/* SM19, SM23 */
static int is_resized(void *arg)
{
	struct filch_limiter limiter = FILCH_LIMITER_INIT(0);
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 30; i++)
		in_line(&scene, &limiter, i + 1);
	cr_expect_eq(filch_limiter_set_total(&limiter, 3), 0);
	for (int i = 0; i < 3; i++)
		flag_await(&scene.calls[i].done, 1);
	cr_expect_eq(look(&limiter).borrowed, 3);
	cr_expect_eq(look(&limiter).waiting, 27);
	/* Below what is lent: nothing is taken back, and who returns his makes no room. */
	cr_expect_eq(filch_limiter_set_total(&limiter, 1), 0);
	cr_expect_eq(look(&limiter).borrowed, 3);
	let_go(&scene.calls[1]);
	await_that(look(&limiter).borrowed == 2);
	let_go(&scene.calls[0]);
	await_that(look(&limiter).borrowed == 1);
	cr_expect_eq(look(&limiter).waiting, 27);
	let_go(&scene.calls[2]);
	flag_await(&scene.calls[3].done, 1);
	cr_expect_eq(look(&limiter).borrowed, 1);
	cr_expect_eq(filch_limiter_set_total(&limiter, FILCH_LIMITER_UNLIMITED), 0);
	cr_expect_eq(look(&limiter).borrowed, 27);
	cr_expect_eq(look(&limiter).waiting, 0);
	for (int i = 3; i < 30; i++)
		let_go(&scene.calls[i]);
	scene_close(&scene);
	for (int i = 0; i < 30; i++)
		cr_expect_eq(scene.calls[i].status, 0);
	cr_expect_eq(look(&limiter).borrowed, 0);
	cr_expect_eq(look(&limiter).contended, 30);
	return 0;
}

Test(limiter, the_total_is_raised_and_lowered_at_any_time)
{
	play(is_resized);
}

/* SM20 while it waits; SM22: a grant that is cancelled afterwards stays, one before goes on. */
static int is_passed_on(void *arg)
{
	struct filch_limiter limiter = FILCH_LIMITER_INIT(1);
	struct call *gone, *first, *second;
	struct filch_loan loan, other;
	struct scene scene;

	(void)arg;
	cr_expect_eq(filch_limiter_acquire(&limiter, &loan), 0);
	scene_open(&scene);
	gone = in_line(&scene, &limiter, 1);
	first = in_line(&scene, &limiter, 2);
	second = in_line(&scene, &limiter, 3);
	cr_expect_eq(filch_limiter_try_acquire_for(&limiter, &other, (const void *)(uintptr_t)2),
		     -EDEADLK);
	cr_expect_eq(filch_limiter_release_for(&limiter, (const void *)(uintptr_t)2), -EPERM);
	call_cancel(gone);
	cr_expect_eq(filch_limiter_release(&limiter), 0);
	/* It is the first one's: nobody gets past. */
	cr_expect_eq(filch_limiter_try_acquire(&limiter, &loan), -EAGAIN);
	filch_task_cancel(first->task, 0);
	let_go(first);
	let_go(second);
	scene_close(&scene);
	cr_expect_eq(gone->status, -ECANCELED);
	cr_expect_eq(first->status, 0);
	cr_expect_eq(second->status, 0);
	cr_expect_eq(look(&limiter).borrowed, 0);
	return 0;
}

Test(limiter, a_grant_is_kept_and_who_was_cancelled_before_is_passed_over)
{
	play(is_passed_on);
}

/* ---- Many borrowers, against a table ---- */

#define BORROWERS 300

static int is_a_set(void *arg)
{
	static struct filch_loan loans[BORROWERS];
	struct filch_limiter limiter = FILCH_LIMITER_INIT(FILCH_LIMITER_UNLIMITED);
	bool held[BORROWERS] = { false };
	uint32_t seed = 7, count = 0;

	(void)arg;
	for (int i = 0; i < 20000; i++) {
		uint32_t who = next_random(&seed) % BORROWERS;
		const void *borrower = &loans[who];

		if (next_random(&seed) % 2) {
			cr_expect_eq(filch_limiter_try_acquire_for(&limiter, &loans[who], borrower),
				     held[who] ? -EDEADLK : 0);
			count += !held[who];
			held[who] = true;
		} else {
			cr_expect_eq(filch_limiter_release_for(&limiter, borrower),
				     held[who] ? 0 : -EPERM);
			count -= held[who];
			held[who] = false;
		}
		cr_expect_eq(look(&limiter).borrowed, count);
	}
	return 0;
}

Test(limiter, finds_each_of_many_borrowers)
{
	cr_assert_eq(is_a_set(NULL), 0);
}

/* ---- Crowds ---- */

struct crowd {
	struct filch_limiter limiter;
	int inside, most;
	int rounds;
	int failed;
	int left;
};

static int visits(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&crowd ^ (uint32_t)filch_now();

	for (int i = 0; i < crowd->rounds; i++) {
		filch_time deadline = next_random(&seed) % 2
					      ? FILCH_NEVER
					      : filch_now() + next_random(&seed) % 30000;
		struct filch_loan loan;
		struct filch_token token;
		int status;

		filch_token_init(&token);
		if (next_random(&seed) % 2)
			filch_token_set_deadline(&token, filch_now() + next_random(&seed) % 50000);
		filch_scope_enter(&token);
		status = filch_limiter_acquire_until(&crowd->limiter, &loan, deadline);
		cr_expect(status == 0 || status == -ETIMEDOUT || status == -ECANCELED);
		if (status == 0) {
			if (__atomic_add_fetch(&crowd->inside, 1, __ATOMIC_RELAXED) > 4)
				flag_add(&crowd->most);
			if (next_random(&seed) % 2)
				filch_yield();
			__atomic_sub_fetch(&crowd->inside, 1, __ATOMIC_RELAXED);
			cr_expect_eq(filch_limiter_release(&crowd->limiter), 0);
		} else {
			flag_add(&crowd->failed);
		}
		filch_scope_leave(&token);
		filch_token_fini(&token);
	}
	return 0;
}

static void *visits_as_thread(void *arg)
{
	visits(arg);
	return NULL;
}

/* SM22, G3: raised and lowered meanwhile, never beyond 4. */
static int comes_and_goes(void *arg)
{
	struct crowd crowd = { .limiter = FILCH_LIMITER_INIT(2), .rounds = rounds(200) };
	struct filch_group group;
	pthread_t threads[2];

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, visits_as_thread, &crowd);
	for (int i = 0; i < 24; i++)
		filch_group_spawn(&group, visits, &crowd);
	for (uint32_t i = 0; i < 100; i++) {
		filch_limiter_set_total(&crowd.limiter, i % 5);
		filch_yield();
	}
	filch_limiter_set_total(&crowd.limiter, 3);
	filch_group_close(&group);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(crowd.most, 0);
	cr_expect_eq(look(&crowd.limiter).borrowed, 0);
	cr_expect_eq(look(&crowd.limiter).waiting, 0);
	cr_expect_eq(filch_limiter_fini(&crowd.limiter), 0);
	return 0;
}

Test(limiter, loans_are_conserved_whoever_leaves_and_however_the_total_changes, .timeout = 60)
{
	play_crowded(comes_and_goes);
}

/* G12 */
static int borrows_and_frees(void *arg)
{
	struct crowd *crowd = arg;
	struct filch_loan loan;

	cr_expect_eq(filch_limiter_acquire(&crowd->limiter, &loan), 0);
	cr_expect_eq(filch_limiter_release(&crowd->limiter), 0);
	if (__atomic_sub_fetch(&crowd->left, 1, __ATOMIC_ACQ_REL) == 0)
		free(crowd);
	return 0;
}

static int is_freed_by_the_last(void *arg)
{
	const int many = rounds(300);

	(void)arg;
	for (int i = 0; i < many; i++) {
		struct crowd *crowd = calloc(1, sizeof(*crowd));
		struct filch_group group;

		crowd->left = 40;
		filch_limiter_set_total(&crowd->limiter, i % 2 ? 1 : 20);
		filch_group_open(&group, NULL);
		for (int k = 0; k < 40; k++)
			filch_group_spawn(&group, borrows_and_frees, crowd);
		filch_group_close(&group);
	}
	return 0;
}

Test(limiter, may_be_freed_by_the_last_borrower, .timeout = 60)
{
	play_crowded(is_freed_by_the_last);
}
