/* queue: items go from producers to consumers through a bounded queue. */
#include "../bench.h"

#include <errno.h>
#include <pthread.h>

#define CAPACITY 100
#define SIDE 4 /* producers, and as many consumers */

/* One of either side; the numbers [first, last) are put, or their sum is what was got. */
struct end {
	void *queue;
	uint64_t first, last;
	uint64_t sum, count;
};

static void share_out(struct end *producers, struct end *consumers, void *queue, uint64_t items)
{
	for (uint64_t i = 0; i < SIDE; i++) {
		producers[i] = (struct end){ .queue = queue,
					     .first = items * i / SIDE,
					     .last = items * (i + 1) / SIDE };
		consumers[i] = (struct end){ .queue = queue };
	}
}

static bool is_right(const struct end *consumers, uint64_t items)
{
	uint64_t sum = 0, count = 0;

	for (int i = 0; i < SIDE; i++) {
		sum += consumers[i].sum;
		count += consumers[i].count;
	}
	return count == items && sum == items * (items - 1) / 2;
}

static int produce(void *arg)
{
	struct end *end = arg;
	int status = 0;

	for (uint64_t item = end->first; status == 0 && item < end->last; item++)
		status = filch_queue_put(end->queue, &item);
	return status;
}

static int consume(void *arg)
{
	struct end *end = arg;
	uint64_t item;
	int status;

	while ((status = filch_queue_get(end->queue, &item)) == 0) {
		end->sum += item;
		end->count++;
	}
	return status == -EPIPE ? 0 : status;
}

/* Consumers first: they wait when the producers begin. */
static int run_tasks(struct filch_queue *queue, struct end *producers, struct end *consumers)
{
	struct filch_group getters, putters;
	int status, closed;

	status = filch_group_open(&getters, NULL);
	for (int i = 0; status == 0 && i < SIDE; i++)
		status = filch_group_spawn(&getters, consume, &consumers[i]);
	filch_group_open(&putters, NULL);
	for (int i = 0; status == 0 && i < SIDE; i++)
		status = filch_group_spawn(&putters, produce, &producers[i]);
	closed = filch_group_close(&putters);
	status = status < 0 ? status : closed;
	filch_queue_shutdown(queue, status < 0);
	closed = filch_group_close(&getters);
	return status < 0 ? status : closed;
}

static void run(struct trial *trial)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(uint64_t),
					       .capacity = CAPACITY };
	struct end producers[SIDE], consumers[SIDE];
	uint64_t items = (uint64_t)trial->size;
	struct filch_queue queue;
	double start;

	trial->status = filch_queue_init(&queue, &options);
	if (trial->status < 0)
		return;
	share_out(producers, consumers, &queue, items);
	start = bench_now();
	trial->status = run_tasks(&queue, producers, consumers);
	trial->values[0] = (bench_now() - start) / (double)items;
	trial->verified = trial->status == 0 && is_right(consumers, items);
	filch_queue_fini(&queue);
}

/* The twin: a ring under a mutex, with two conditions. */
struct ring {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	uint64_t items[CAPACITY];
	unsigned first, count;
	bool closed;
};

static void *produce_in_thread(void *arg)
{
	struct end *end = arg;
	struct ring *ring = end->queue;

	for (uint64_t item = end->first; item < end->last; item++) {
		pthread_mutex_lock(&ring->lock);
		while (ring->count == CAPACITY)
			pthread_cond_wait(&ring->emptied, &ring->lock);
		ring->items[(ring->first + ring->count++) % CAPACITY] = item;
		pthread_cond_signal(&ring->filled);
		pthread_mutex_unlock(&ring->lock);
	}
	return NULL;
}

static void *consume_in_thread(void *arg)
{
	struct end *end = arg;
	struct ring *ring = end->queue;

	pthread_mutex_lock(&ring->lock);
	for (;;) {
		while (ring->count == 0 && !ring->closed)
			pthread_cond_wait(&ring->filled, &ring->lock);
		if (ring->count == 0)
			break;
		end->sum += ring->items[ring->first];
		end->count++;
		ring->first = (ring->first + 1) % CAPACITY;
		ring->count--;
		pthread_cond_signal(&ring->emptied);
		pthread_mutex_unlock(&ring->lock);
		pthread_mutex_lock(&ring->lock);
	}
	pthread_mutex_unlock(&ring->lock);
	return NULL;
}

static void close_ring(struct ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	ring->closed = true;
	pthread_cond_broadcast(&ring->filled);
	pthread_mutex_unlock(&ring->lock);
}

static int run_threads(struct ring *ring, struct end *producers, struct end *consumers)
{
	pthread_t getters[SIDE], putters[SIDE];
	int got = 0, put = 0, error = 0;

	while (error == 0 && got < SIDE) {
		error = pthread_create(&getters[got], NULL, consume_in_thread, &consumers[got]);
		got += error == 0;
	}
	while (error == 0 && put < SIDE) {
		error = pthread_create(&putters[put], NULL, produce_in_thread, &producers[put]);
		put += error == 0;
	}
	while (put > 0)
		pthread_join(putters[--put], NULL);
	close_ring(ring);
	while (got > 0)
		pthread_join(getters[--got], NULL);
	return -error;
}

static void run_twin(struct trial *trial)
{
	struct ring ring = { .lock = PTHREAD_MUTEX_INITIALIZER,
			     .filled = PTHREAD_COND_INITIALIZER,
			     .emptied = PTHREAD_COND_INITIALIZER };
	struct end producers[SIDE], consumers[SIDE];
	uint64_t items = (uint64_t)trial->size;
	double start = bench_now();

	share_out(producers, consumers, &ring, items);
	trial->status = run_threads(&ring, producers, consumers);
	trial->values[0] = (bench_now() - start) / (double)items;
	trial->verified = trial->status == 0 && is_right(consumers, items);
}

const struct workload bench_queue = {
	.name = "queue",
	.question = "what does an item cost from 4 producers to 4 consumers, 100 in between?",
	.twin = "8 threads, mutex and conditions",
	.size_is = "items",
	.size = 1000000,
	.least = 1,
	.most = 1000000000,
	.metrics = { { "time", "ns/item", false } },
	.run = run,
	.run_twin = run_twin,
};
