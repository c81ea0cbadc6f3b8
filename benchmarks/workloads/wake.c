/* wake: how long a sleeping runtime needs until a task from outside runs. */
#include "../bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define PERIOD (2 * FILCH_MILLISECOND)

struct arrival {
	double sent;
	double came; /* 0: not yet */
};

static void sleep_until(filch_time when)
{
	struct timespec time = { .tv_sec = when / FILCH_SECOND, .tv_nsec = when % FILCH_SECOND };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

static void note(struct trial *trial, const struct arrival *arrivals, double cpu)
{
	size_t count = (size_t)trial->size;
	double *delays = malloc(count * sizeof(*delays));

	if (delays == NULL) {
		trial->status = -ENOMEM;
		return;
	}
	trial->verified = true;
	for (size_t i = 0; i < count; i++) {
		delays[i] = (arrivals[i].came - arrivals[i].sent) / 1e3;
		if (!(delays[i] >= 0))
			trial->verified = false;
	}
	bench_sort(delays, count);
	trial->values[0] = bench_percentile(delays, count, 50);
	trial->values[1] = bench_percentile(delays, count, 99);
	trial->values[2] = cpu * 1e6 / (double)count;
	free(delays);
}

static int arrive(void *arg)
{
	struct arrival *arrival = arg;

	arrival->came = bench_now();
	return 0;
}

/* 0 when the task ran. NULL is accepted. */
static int finish(struct filch_task *task)
{
	int result = 0, status = task == NULL ? 0 : filch_task_wait(task, &result);

	filch_task_release(task);
	return status < 0 ? status : result;
}

/* Each task is awaited after the next pause, when it is long done: the sender does not park on it.
 */
static int submit_all(struct trial *trial, struct arrival *arrivals)
{
	filch_time next = filch_now();
	struct filch_task *task = NULL;
	int status = 0;

	for (long i = 0; status == 0 && i < trial->size; i++) {
		sleep_until(next += PERIOD);
		status = finish(task);
		task = NULL;
		arrivals[i].sent = bench_now();
		if (status == 0)
			status = filch_runtime_submit(trial->runtime, NULL, arrive, &arrivals[i],
						      &task);
	}
	return status < 0 ? status : finish(task);
}

static void run(struct trial *trial)
{
	struct arrival *arrivals = calloc((size_t)trial->size, sizeof(*arrivals));
	double start = bench_cpu_seconds();

	trial->status = arrivals == NULL ? -ENOMEM : submit_all(trial, arrivals);
	if (trial->status == 0)
		note(trial, arrivals, bench_cpu_seconds() - start);
	free(arrivals);
}

/* The twin: a thread that waits on a condition variable. */
struct mailbox {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct arrival *arrivals;
	long count, sent;
};

static void *receive(void *arg)
{
	struct mailbox *box = arg;

	pthread_mutex_lock(&box->lock);
	for (long i = 0; i < box->count; i++) {
		while (box->sent == i)
			pthread_cond_wait(&box->filled, &box->lock);
		box->arrivals[i].came = bench_now();
	}
	pthread_mutex_unlock(&box->lock);
	return NULL;
}

static void signal_all(struct mailbox *box)
{
	filch_time next = filch_now();

	for (long i = 0; i < box->count; i++) {
		sleep_until(next += PERIOD);
		pthread_mutex_lock(&box->lock);
		box->arrivals[i].sent = bench_now();
		box->sent = i + 1;
		pthread_mutex_unlock(&box->lock);
		pthread_cond_signal(&box->filled);
	}
}

static void run_twin(struct trial *trial)
{
	struct mailbox box = { .count = trial->size };
	double start = bench_cpu_seconds();
	pthread_t thread;
	int error = 0;

	pthread_mutex_init(&box.lock, NULL);
	pthread_cond_init(&box.filled, NULL);
	box.arrivals = calloc((size_t)trial->size, sizeof(*box.arrivals));
	error = box.arrivals == NULL ? ENOMEM : pthread_create(&thread, NULL, receive, &box);
	trial->status = -error;
	if (error == 0) {
		signal_all(&box);
		pthread_join(thread, NULL);
		note(trial, box.arrivals, bench_cpu_seconds() - start);
	}
	free(box.arrivals);
	pthread_cond_destroy(&box.filled);
	pthread_mutex_destroy(&box.lock);
}

const struct workload bench_wake = {
	.name = "wake",
	.question = "how soon does an idle runtime run what a thread submits every 2 ms?",
	.twin = "condition variable",
	.size_is = "submissions",
	.size = 250,
	.least = 1,
	.most = 100000,
	.foreign = true,
	.metrics = { { "wake_p50", "us", false },
		     { "wake_p99", "us", false },
		     { "cpu", "CPU us/submit", false } },
	.run = run,
	.run_twin = run_twin,
};
