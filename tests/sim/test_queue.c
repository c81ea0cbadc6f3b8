/* Queues in simulation: what goes in comes out once, in order; nobody waits in vain. */
#include "sim/crew.h"

#define PRODUCERS 2
#define EACH 4

struct letter {
	unsigned from, number;
};

static struct filch_queue queue;
static unsigned put[PRODUCERS], seen[PRODUCERS][EACH], producers, consumers, undelivered;
static bool ordered;

static void see(const struct letter *letter)
{
	seeds_check(letter->from < PRODUCERS && letter->number < EACH);
	seeds_check(seen[letter->from][letter->number]++ == 0);
}

static void drain(const void *element, void *context)
{
	(void)context;
	see(element);
	undelivered++;
}

static int compare(const void *a, const void *b)
{
	const struct letter *first = a, *second = b;

	return (int)(first->number & 1) - (int)(second->number & 1);
}

static void reset_to(const struct filch_queue_options *options)
{
	memset(put, 0, sizeof(put));
	memset(seen, 0, sizeof(seen));
	producers = PRODUCERS;
	consumers = 3;
	undelivered = 0;
	ordered = options->order == FILCH_QUEUE_FIFO;
	filch_queue_init(&queue, options);
}

/* Of capacity 0 it is a rendezvous. */
static void reset_fifo(void)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(struct letter),
					       .capacity = seeds_pick(3),
					       .undelivered = drain };

	reset_to(&options);
}

static void reset_any(void)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(struct letter),
					       .capacity = 1 + seeds_pick(2),
					       .order = seeds_pick(3),
					       .compare = compare,
					       .undelivered = drain };

	if (options.order == FILCH_QUEUE_FIFO)
		options.overflow = seeds_pick(4);
	else if (seeds_pick(4) == 0)
		options.capacity = FILCH_QUEUE_UNBOUNDED;
	if (options.order != FILCH_QUEUE_PRIORITY)
		options.compare = NULL;
	reset_to(&options);
}

static int put_reserved(const struct letter *letter)
{
	int status = filch_queue_reserve(&queue);

	if (status < 0)
		return status;
	crew_pause();
	if (seeds_pick(4) > 0)
		return filch_queue_commit(&queue, letter);
	seeds_check(filch_queue_unreserve(&queue) == 0);
	return -EAGAIN;
}

static int put_one(const struct letter *letter)
{
	switch (seeds_pick(5)) {
	case 0:
		return filch_queue_put_until(&queue, letter, crew_soon());
	case 1:
		return seeds_patient(filch_queue_put_until(&queue, letter, seeds_patience()));
	case 2:
		return filch_queue_try_put(&queue, letter);
	case 3:
		return put_reserved(letter);
	default:
		return filch_queue_put(&queue, letter);
	}
}

static void produce(unsigned index)
{
	struct letter letter = { .from = index };

	while (letter.number < EACH) {
		int status = put_one(&letter);

		if (status == -ECANCELED || status == -EPIPE)
			break;
		if (status == 0) {
			put[index]++;
			letter.number++;
		} else if (filch_yield() < 0) {
			break;
		}
	}
	/* The last one closes the queue. */
	if (--producers == 0)
		filch_queue_shutdown(&queue, false);
}

static int get_many(struct letter letters[2], size_t *count)
{
	if (seeds_pick(2))
		return filch_queue_get_many_until(&queue, letters, 2, count, crew_soon());
	return filch_queue_get_many(&queue, letters, 2, count);
}

static int get_some(struct letter letters[2], size_t *count)
{
	*count = 1;
	switch (seeds_pick(5)) {
	case 0:
		return filch_queue_get_until(&queue, letters, crew_soon());
	case 1:
		return seeds_patient(filch_queue_get_until(&queue, letters, seeds_patience()));
	case 2:
		return filch_queue_try_get(&queue, letters);
	case 3:
		return get_many(letters, count);
	default:
		return filch_queue_get(&queue, letters);
	}
}

static void consume(void)
{
	unsigned next[PRODUCERS] = { 0 };

	for (;;) {
		struct letter letters[2];
		size_t count;
		int status = get_some(letters, &count);

		if (status == -ECANCELED || status == -EPIPE)
			break;
		for (size_t i = 0; status == 0 && i < count; i++) {
			see(&letters[i]);
			/* From one producer each consumer gets them in the order they were put. */
			seeds_check(!ordered || letters[i].number >= next[letters[i].from]);
			next[letters[i].from] = letters[i].number + 1;
			filch_queue_task_done(&queue);
		}
		if (status < 0 && filch_yield() < 0)
			break;
		crew_pause();
	}
	/* Without anybody left who gets, puts would wait for ever. */
	if (--consumers == 0)
		filch_queue_shutdown(&queue, true);
}

static int produce_or_consume(struct player *self)
{
	if (self->index < PRODUCERS)
		produce(self->index);
	else
		consume();
	return 0;
}

static int pass_letters(void *arg)
{
	struct filch_queue_statistics statistics;
	int status = crew_run(5, produce_or_consume);

	(void)arg;
	filch_queue_get_statistics(&queue, &statistics);
	seeds_check(statistics.getters == 0 && statistics.putters == 0);
	seeds_check(statistics.reserved == 0);
	seeds_check(filch_queue_fini(&queue) == 0);
	for (unsigned from = 0; from < PRODUCERS; from++)
		for (unsigned number = 0; number < EACH; number++)
			seeds_check(seen[from][number] == (number < put[from]));
	return status;
}

Test(queue, what_goes_in_comes_out_once_and_in_order, .timeout = 110)
{
	static const struct scenario scenario = { "queue", pass_letters, reset_fifo, 0 };

	seeds_explore(&scenario, 16000);
}

Test(queue, of_any_order_and_overflow_each_element_is_got_or_told_of_once, .timeout = 110)
{
	static const struct scenario scenario = { "any queue", pass_letters, reset_any, 0 };

	seeds_explore(&scenario, 12000);
}

/* ---- First in, first out ---- */

static int stand_in_line(struct player *self)
{
	struct letter letter;
	int status = filch_queue_get(&queue, &letter);

	if (status == 0)
		crew_note(self);
	return status;
}

static unsigned tried;

static void put_next(void)
{
	struct letter letter = { .number = tried++ };

	put[0] += filch_queue_put_until(&queue, &letter, 0) == 0;
}

static int line(void *arg)
{
	unsigned served;
	int status;

	(void)arg;
	tried = 0;
	status = crew_line(stand_in_line, put_next, 3, &served);
	seeds_check(status < 0 || served + filch_queue_size(&queue) == put[0]);
	filch_queue_fini(&queue);
	return status;
}

Test(queue, who_waits_is_served_in_order_and_a_cancel_takes_nothing_along, .timeout = 110)
{
	static const struct scenario scenario = { "queue's line", line, reset_fifo, 0 };

	seeds_explore(&scenario, 6000);
}
