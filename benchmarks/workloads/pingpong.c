/* pingpong: two tasks that wait for each other, over queues that hold one element. */
#include "../bench.h"

#include <errno.h>
#include <pthread.h>

#define TWIN_SHARE 50 /* threads take that much longer */

struct table {
	struct filch_queue there, back;
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

static int play(struct table *table)
{
	struct filch_group group;
	int status = filch_group_open(&group, NULL), closed;

	if (status < 0)
		return status;
	status = filch_group_spawn(&group, answer, table);
	if (status == 0)
		status = filch_group_spawn(&group, serve, table);
	closed = filch_group_close(&group);
	return status < 0 ? status : closed;
}

static void run(struct trial *trial)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(long),
					       .capacity = 1 };
	struct table table = { .rounds = trial->size };
	double start;

	trial->status = filch_queue_init(&table.there, &options);
	if (trial->status == 0)
		trial->status = filch_queue_init(&table.back, &options);
	start = bench_now();
	if (trial->status == 0)
		trial->status = play(&table);
	trial->values[0] = (bench_now() - start) / (double)trial->size;
	trial->verified = trial->status == 0;
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

static void run_twin(struct trial *trial)
{
	static const struct place empty = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
					    PTHREAD_COND_INITIALIZER, 0, false };
	struct court court = { empty, empty, 1 + trial->size / TWIN_SHARE };
	double start = bench_now();
	pthread_t thread;
	int error = pthread_create(&thread, NULL, answer_in_thread, &court);

	trial->status = -error;
	trial->verified = error == 0;
	for (long i = 0; error == 0 && i < court.rounds; i++) {
		put(&court.there, i);
		trial->verified &= get(&court.back) == i;
	}
	if (error == 0)
		pthread_join(thread, NULL);
	trial->values[0] = (bench_now() - start) / (double)court.rounds;
}

const struct workload bench_pingpong = {
	.name = "pingpong",
	.question = "what does it cost two tasks to wait for each other in turns?",
	.twin = "threads, condition variables",
	.size_is = "round trips over two queues of capacity 1",
	.size = 1000000,
	.least = 1,
	.most = 100000000,
	.metrics = { { "time", "ns/round trip", false } },
	.run = run,
	.run_twin = run_twin,
};
