/* pingpong: two tasks that wait for each other, over queues that hold one element, or semaphores. */
#include "../bench.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#define TWIN_SHARE 50 /* threads take that much longer */

struct table {
	struct filch_queue there, back;
	struct filch_semaphore to, fro;
	long rounds;
};

/* Each ball comes back as it went. */
static int serve(void *arg)
{
	struct table *table = arg;

	for (long i = 0, ball; i < table->rounds; i++) {
		int status = filch_queue_put(&table->there, &i);

		if (status == 0)
			status = filch_queue_get(&table->back, &ball);
		if (status < 0 || ball != i)
			return status < 0 ? status : -EIO;
	}
	return 0;
}

static int answer(void *arg)
{
	struct table *table = arg;
	int status = 0;

	for (long i = 0, ball; status == 0 && i < table->rounds; i++) {
		status = filch_queue_get(&table->there, &ball);
		if (status == 0)
			status = filch_queue_put(&table->back, &ball);
	}
	return status;
}

static int call(void *arg)
{
	struct table *table = arg;
	int status = 0;

	for (long i = 0; status == 0 && i < table->rounds; i++) {
		status = filch_semaphore_release(&table->to);
		if (status == 0)
			status = filch_semaphore_acquire(&table->fro);
	}
	return status;
}

static int call_back(void *arg)
{
	struct table *table = arg;
	int status = 0;

	for (long i = 0; status == 0 && i < table->rounds; i++) {
		status = filch_semaphore_acquire(&table->to);
		if (status == 0)
			status = filch_semaphore_release(&table->fro);
	}
	return status;
}

/* One waits first; then the other begins. */
static int play(struct table *table, filch_task_fn *first, filch_task_fn *second)
{
	struct filch_group group;
	int status = filch_group_open(&group, NULL), closed;

	if (status < 0)
		return status;
	status = filch_group_spawn(&group, first, table);
	if (status == 0)
		status = filch_group_spawn(&group, second, table);
	closed = filch_group_close(&group);
	return status < 0 ? status : closed;
}

static void run(struct trial *trial)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(long),
					       .capacity = 1 };
	struct table table = { .rounds = trial->size };
	double start, middle;

	trial->status = filch_queue_init(&table.there, &options);
	if (trial->status == 0)
		trial->status = filch_queue_init(&table.back, &options);
	start = bench_now();
	if (trial->status == 0)
		trial->status = play(&table, answer, serve);
	middle = bench_now();
	if (trial->status == 0)
		trial->status = play(&table, call_back, call);
	trial->values[0] = (middle - start) / (double)trial->size;
	trial->values[1] = (bench_now() - middle) / (double)trial->size;
	trial->verified = trial->status == 0 && filch_semaphore_try_acquire(&table.to) == -EAGAIN &&
			  filch_semaphore_try_acquire(&table.fro) == -EAGAIN;
	filch_queue_fini(&table.there);
	filch_queue_fini(&table.back);
}

/* The twin: a place for one element, with a condition for each side. */
struct place {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	long ball;
	bool full;
};

struct court {
	struct place there, back;
	sem_t to, fro;
	long rounds;
};

static void put(struct place *place, long ball)
{
	pthread_mutex_lock(&place->lock);
	while (place->full)
		pthread_cond_wait(&place->emptied, &place->lock);
	place->ball = ball;
	place->full = true;
	pthread_mutex_unlock(&place->lock);
	pthread_cond_signal(&place->filled);
}

static long get(struct place *place)
{
	long ball;

	pthread_mutex_lock(&place->lock);
	while (!place->full)
		pthread_cond_wait(&place->filled, &place->lock);
	ball = place->ball;
	place->full = false;
	pthread_mutex_unlock(&place->lock);
	pthread_cond_signal(&place->emptied);
	return ball;
}

static void *answer_in_thread(void *arg)
{
	struct court *court = arg;

	for (long i = 0; i < court->rounds; i++)
		put(&court->back, get(&court->there));
	return NULL;
}

static void await_post(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0)
		;
}

static void *post_back(void *arg)
{
	struct court *court = arg;

	for (long i = 0; i < court->rounds; i++) {
		await_post(&court->to);
		sem_post(&court->fro);
	}
	return NULL;
}

static bool send_balls(struct court *court)
{
	bool good = true;

	for (long i = 0; i < court->rounds; i++) {
		put(&court->there, i);
		good &= get(&court->back) == i;
	}
	return good;
}

static bool send_posts(struct court *court)
{
	for (long i = 0; i < court->rounds; i++) {
		sem_post(&court->to);
		await_post(&court->fro);
	}
	return sem_trywait(&court->fro) != 0;
}

/* A thread at the other end; ns for a round trip. */
static double meet(struct trial *trial, struct court *court, void *(*other)(void *),
		   bool (*one)(struct court *court))
{
	double start = bench_now();
	pthread_t thread;
	int error = pthread_create(&thread, NULL, other, court);

	if (error != 0) {
		trial->status = -error;
		trial->verified = false;
		return 0;
	}
	trial->verified &= one(court);
	pthread_join(thread, NULL);
	return (bench_now() - start) / (double)court->rounds;
}

static void run_twin(struct trial *trial)
{
	static const struct place empty = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
					    PTHREAD_COND_INITIALIZER, 0, false };
	struct court court = { .there = empty,
			       .back = empty,
			       .rounds = 1 + trial->size / TWIN_SHARE };

	trial->verified = true;
	sem_init(&court.to, 0, 0);
	sem_init(&court.fro, 0, 0);
	trial->values[0] = meet(trial, &court, answer_in_thread, send_balls);
	trial->values[1] = meet(trial, &court, post_back, send_posts);
	sem_destroy(&court.to);
	sem_destroy(&court.fro);
}

const struct workload bench_pingpong = {
	.name = "pingpong",
	.question = "what does it cost two tasks to wait for each other in turns?",
	.twin = "threads, condition variables, sem_t",
	.size_is = "round trips over two queues of capacity 1, and over two semaphores",
	.size = 1000000,
	.least = 1,
	.most = 100000000,
	.metrics = { { "queues", "ns/round trip", false },
		     { "semaphores", "ns/round trip", false } },
	.run = run,
	.run_twin = run_twin,
};
