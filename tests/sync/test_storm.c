/* While signals interrupt every thread: no wait returns before its time, or before it is woken. */
#include "task/play.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- The storm: every thread of the process, again and again ---- */

struct storm {
	pthread_t thread;
	int over;
};

static int interrupted;

static void on_alarm(int signal)
{
	(void)signal;
	__atomic_fetch_add(&interrupted, 1, __ATOMIC_RELAXED);
}

static void interrupt_all(pid_t self)
{
	DIR *threads = opendir("/proc/self/task");
	struct dirent *entry;

	while (threads && (entry = readdir(threads))) {
		int thread = atoi(entry->d_name);

		if (thread > 0 && thread != self)
			syscall(SYS_tgkill, getpid(), thread, SIGALRM);
	}
	closedir(threads);
}

static void *blow(void *arg)
{
	struct storm *storm = arg;
	struct timespec pause = { 0, 200000 };
	pid_t self = (pid_t)syscall(SYS_gettid);

	while (!flag_get(&storm->over)) {
		interrupt_all(self);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* Calls are not restarted. */
static void storm_begin(struct storm *storm)
{
	struct sigaction action = { .sa_handler = on_alarm };

	storm->over = 0;
	interrupted = 0;
	sigaction(SIGALRM, &action, NULL);
	cr_assert_eq(pthread_create(&storm->thread, NULL, blow, storm), 0);
}

static void storm_end(struct storm *storm)
{
	flag_add(&storm->over);
	pthread_join(storm->thread, NULL);
	cr_expect_gt(interrupted, 0);
}

/* ---- What is waited for ---- */

struct hall {
	struct filch_lock lock, free;
	struct filch_rwlock rwlock, written;
	struct filch_semaphore semaphore, other;
	struct filch_event event, chosen;
	struct filch_notify notify;
	struct filch_condition condition;
	struct filch_barrier barrier;
	struct filch_latch latch;
	struct filch_limiter limiter;
	struct filch_loan loan;
	struct filch_parking_lot lot;
	struct filch_queue empty, full;
	struct filch_watch watch;
	struct filch_broadcast broadcast;
	int value, seen;
	int allowed; /* who returns before it is set returns early */
};

static int wait_lock(struct hall *hall, filch_time deadline)
{
	int status = filch_lock_acquire_until(&hall->lock, deadline);

	return status < 0 ? status : filch_lock_release(&hall->lock);
}

static int wait_read(struct hall *hall, filch_time deadline)
{
	int status = filch_rwlock_acquire_read_until(&hall->written, deadline);

	return status < 0 ? status : filch_rwlock_release_read(&hall->written);
}

static int wait_write(struct hall *hall, filch_time deadline)
{
	int status = filch_rwlock_acquire_write_until(&hall->rwlock, deadline);

	return status < 0 ? status : filch_rwlock_release_write(&hall->rwlock);
}

static int wait_semaphore(struct hall *hall, filch_time deadline)
{
	return filch_semaphore_acquire_until(&hall->semaphore, deadline);
}

static int wait_event(struct hall *hall, filch_time deadline)
{
	return filch_event_wait_until(&hall->event, deadline);
}

static int wait_notify(struct hall *hall, filch_time deadline)
{
	return filch_notify_wait_until(&hall->notify, deadline);
}

static int wait_condition(struct hall *hall, filch_time deadline)
{
	int status = filch_lock_acquire(&hall->free), released;

	if (status < 0)
		return status;
	status = filch_condition_wait_until(&hall->condition, &hall->free, deadline);
	released = filch_lock_release(&hall->free);
	return status < 0 ? status : released;
}

static int wait_barrier(struct hall *hall, filch_time deadline)
{
	unsigned index;

	return filch_barrier_wait_until(&hall->barrier, &index, deadline);
}

static int wait_latch(struct hall *hall, filch_time deadline)
{
	return filch_latch_wait_until(&hall->latch, deadline);
}

static int wait_limiter(struct hall *hall, filch_time deadline)
{
	struct filch_loan loan = { 0 };
	int status = filch_limiter_acquire_for_until(&hall->limiter, &loan, &loan, deadline);

	return status < 0 ? status : filch_limiter_release_for(&hall->limiter, &loan);
}

static int wait_lot(struct hall *hall, filch_time deadline)
{
	return filch_parking_lot_park_until(&hall->lot, deadline);
}

static int wait_get(struct hall *hall, filch_time deadline)
{
	int value;

	return filch_queue_get_until(&hall->empty, &value, deadline);
}

static int wait_put(struct hall *hall, filch_time deadline)
{
	return filch_queue_put_until(&hall->full, &hall->value, deadline);
}

static int wait_select(struct hall *hall, filch_time deadline)
{
	struct filch_arm arms[] = { filch_event_arm(&hall->chosen),
				    filch_semaphore_arm(&hall->other, 1) };
	size_t index;
	int status = filch_select_wait_until(arms, 2, 0, &index, deadline);

	return status < 0 ? status : arms[index].status;
}

static int wait_watch(struct hall *hall, filch_time deadline)
{
	struct filch_watch_receiver receiver;
	int value, status;

	filch_watch_subscribe(&hall->watch, &receiver);
	status = filch_watch_wait_until(&receiver, &value, deadline);
	filch_watch_unsubscribe(&receiver);
	return status;
}

static int wait_broadcast(struct hall *hall, filch_time deadline)
{
	struct filch_broadcast_receiver receiver;
	int value, status;

	filch_broadcast_subscribe(&hall->broadcast, &receiver);
	do
		status = filch_broadcast_get_until(&receiver, &value, NULL, deadline);
	while (status == -EOVERFLOW); /* so many came between the two calls */
	filch_broadcast_unsubscribe(&receiver);
	return status;
}

static int (*const waits[])(struct hall *hall, filch_time deadline) = {
	wait_lock,	wait_read,    wait_write, wait_semaphore, wait_event, wait_notify,
	wait_condition, wait_barrier, wait_latch, wait_limiter,	  wait_lot,   wait_get,
	wait_put,	wait_select,  wait_watch, wait_broadcast,
};

#define KINDS (sizeof(waits) / sizeof(waits[0]))
#define MEMBERS 5 /* two threads, two tasks of one runtime, one of another */

/* All of it is shut. */
static void hall_open(struct hall *hall)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(int),
					       .capacity = 1 };
	struct filch_broadcast_options values = { .size = sizeof(values),
						  .element_size = sizeof(int),
						  .capacity = 8 };

	*hall = (struct hall){ .value = 1 };
	cr_assert_eq(filch_lock_acquire(&hall->lock), 0);
	cr_assert_eq(filch_rwlock_acquire_write(&hall->written), 0);
	cr_assert_eq(filch_rwlock_acquire_read(&hall->rwlock), 0);
	cr_assert_eq(filch_barrier_init(&hall->barrier, MEMBERS + 1, NULL), 0);
	cr_assert_eq(filch_latch_add(&hall->latch, 1), 0);
	hall->limiter = (struct filch_limiter)FILCH_LIMITER_INIT(1);
	cr_assert_eq(filch_limiter_acquire(&hall->limiter, &hall->loan), 0);
	cr_assert_eq(filch_queue_init(&hall->empty, &options), 0);
	cr_assert_eq(filch_queue_init(&hall->full, &options), 0);
	cr_assert_eq(filch_queue_put(&hall->full, &hall->value), 0);
	cr_assert_eq(filch_watch_init(&hall->watch, sizeof(int), &hall->seen, &hall->value), 0);
	cr_assert_eq(filch_broadcast_init(&hall->broadcast, &values), 0);
}

/* What is held is given back, once. */
static void release_all(struct hall *hall)
{
	flag_add(&hall->allowed);
	cr_expect_eq(filch_lock_release(&hall->lock), 0);
	cr_expect_eq(filch_rwlock_release_write(&hall->written), 0);
	cr_expect_eq(filch_rwlock_release_read(&hall->rwlock), 0);
	cr_expect_eq(filch_latch_done(&hall->latch, 1), 0);
	cr_expect_eq(filch_limiter_release(&hall->limiter), 0);
	cr_expect_eq(filch_event_set(&hall->event), 0);
	cr_expect_eq(filch_event_set(&hall->chosen), 0);
}

/* Whoever waits by now is woken; again for those who come later. */
static void wake_all(struct hall *hall)
{
	unsigned index;
	int value;

	filch_semaphore_release(&hall->semaphore);
	filch_notify_all(&hall->notify);
	filch_lock_acquire(&hall->free);
	cr_expect_eq(filch_condition_notify_all(&hall->condition), 0);
	filch_lock_release(&hall->free);
	filch_barrier_try_wait(&hall->barrier, &index);
	filch_parking_lot_unpark(&hall->lot, MEMBERS, NULL);
	filch_queue_try_put(&hall->empty, &hall->value);
	filch_queue_try_get(&hall->full, &value);
	filch_watch_put(&hall->watch, &hall->value);
	filch_broadcast_put(&hall->broadcast, &hall->value, NULL);
}

static void hall_close(struct hall *hall)
{
	cr_expect_eq(filch_queue_fini(&hall->empty), 0);
	cr_expect_eq(filch_queue_fini(&hall->full), 0);
	cr_expect_eq(filch_broadcast_fini(&hall->broadcast), 0);
	cr_expect_eq(filch_limiter_fini(&hall->limiter), 0);
	cr_expect_eq(filch_lock_fini(&hall->lock), 0);
	cr_expect_eq(filch_semaphore_fini(&hall->semaphore), 0);
}

/* ---- Who waits ---- */

struct member {
	struct hall *hall;
	size_t kind;
	filch_time span; /* FILCH_NEVER: until it is woken */
	int *returned;
};

static int wait_once(void *arg)
{
	struct member *member = arg;
	struct hall *hall = member->hall;
	bool limited = member->span != FILCH_NEVER;
	filch_time deadline = limited ? filch_now() + member->span : FILCH_NEVER;
	int status = waits[member->kind](hall, deadline);

	if (limited) {
		cr_expect_eq(status, -ETIMEDOUT, "kind %zu: %d", member->kind, status);
		cr_expect(filch_now() >= deadline, "kind %zu: too early", member->kind);
	} else {
		cr_expect_eq(status, 0, "kind %zu: %d", member->kind, status);
		cr_expect(flag_get(&hall->allowed) != 0, "kind %zu: early", member->kind);
	}
	flag_add(member->returned);
	return 0;
}

static void *wait_in_thread(void *arg)
{
	wait_once(arg);
	return NULL;
}

struct crowd {
	struct hall hall;
	struct member member[KINDS];
	int returned;
};

static void submit_all(struct filch_runtime *runtime, struct crowd *crowd)
{
	for (size_t i = 0; i < KINDS; i++)
		cr_assert_eq(
			filch_runtime_submit(runtime, NULL, wait_once, &crowd->member[i], NULL), 0);
}

/* Threads wait before there is a runtime; tasks of two join them. */
static void gather(struct crowd *crowd, unsigned workers, filch_time span)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };
	struct filch_runtime *one, *other;
	pthread_t threads[2 * KINDS];

	hall_open(&crowd->hall);
	crowd->returned = 0;
	for (size_t i = 0; i < KINDS; i++)
		crowd->member[i] = (struct member){ &crowd->hall, i, span, &crowd->returned };
	for (size_t i = 0; i < 2 * KINDS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, wait_in_thread,
					    &crowd->member[i % KINDS]),
			     0);
	cr_assert_eq(filch_runtime_create(&one, &options), 0);
	cr_assert_eq(filch_runtime_create(&other, &options), 0);
	submit_all(one, crowd);
	submit_all(other, crowd);
	submit_all(one, crowd);
	filch_sleep(5 * FILCH_MILLISECOND);
	if (span == FILCH_NEVER)
		release_all(&crowd->hall);
	while (flag_get(&crowd->returned) < (int)(MEMBERS * KINDS)) {
		if (span == FILCH_NEVER)
			wake_all(&crowd->hall);
		filch_sleep(FILCH_MILLISECOND);
	}
	if (span != FILCH_NEVER)
		release_all(&crowd->hall);
	cr_expect_eq(filch_runtime_destroy(one), 0);
	cr_expect_eq(filch_runtime_destroy(other), 0);
	for (size_t i = 0; i < 2 * KINDS; i++)
		pthread_join(threads[i], NULL);
	hall_close(&crowd->hall);
}

static void brave(filch_time span)
{
	static const unsigned workers[] = { 1, 2, 8, 64 };
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	struct storm storm;

	storm_begin(&storm);
	for (int i = 0; i < 4; i++)
		gather(crowd, workers[i], span);
	storm_end(&storm);
	free(crowd);
}

/* G14, G15 */
Test(storm, no_wait_returns_before_it_is_woken, .timeout = 200)
{
	brave(FILCH_NEVER);
}

/* G15 */
Test(storm, no_wait_returns_before_its_time, .timeout = 200)
{
	brave(20 * FILCH_MILLISECOND);
}
