/* Broadcasts in simulation: every value is got by each receiver, or counted as lost to it. */
#include "sim/crew.h"

#define SENDERS 2
#define RECEIVERS 3
#define EACH 4
#define MOST (SENDERS * EACH)

struct news {
	unsigned from, number;
	unsigned sum; /* of both: it is copied whole */
};

static struct filch_broadcast broadcast;
static struct filch_broadcast_receiver receivers[RECEIVERS];
static struct news order[MOST]; /* what each receiver got at its place, the same for all */
static bool known[MOST], used[SENDERS][EACH];
static unsigned put;
static uint64_t ends[RECEIVERS]; /* where they were at the end; 0: they left before */

static void reset(void)
{
	memset(receivers, 0, sizeof(receivers));
	memset(known, 0, sizeof(known));
	memset(used, 0, sizeof(used));
	memset(ends, 0, sizeof(ends));
	put = 0;
}

static int send_one(const struct news *news)
{
	size_t count = 0;
	int status = filch_broadcast_put(&broadcast, news, &count);

	seeds_check(status == 0 || status == -EPIPE);
	seeds_check((status == 0) == (count > 0) && count <= RECEIVERS);
	put += status == 0;
	return status;
}

/* Whoever is parked has got all there is. */
static int look_at_parked(void)
{
	unsigned through = 0;
	int status = filch_simulation_wait_all_parked();

	for (int i = 0; i < RECEIVERS; i++)
		through += receivers[i].broadcast && receivers[i].next == broadcast.sent;
	seeds_check(status < 0 || filch_broadcast_waiting(&broadcast) <= through);
	return status;
}

static int send_all(struct player *self)
{
	int status = 0;

	for (unsigned i = 0; i < EACH && status == 0; i++) {
		struct news news = { self->index, i, self->index + i };

		send_one(&news);
		crew_pause();
		/* One of them, as each is parked to the other one. */
		if (self->index == 0 && seeds_pick(3) == 0)
			status = look_at_parked();
	}
	seeds_check(filch_broadcast_close(&broadcast) == 0);
	return status;
}

/* At this place in what was sent, whoever looks, is this one. */
static void see(uint64_t place, const struct news *news)
{
	seeds_check(place < MOST && news->from < SENDERS && news->number < EACH);
	if (place >= MOST || news->from >= SENDERS || news->number >= EACH)
		return;
	seeds_check(news->sum == news->from + news->number);
	if (known[place]) {
		seeds_check(memcmp(&order[place], news, sizeof(*news)) == 0);
		return;
	}
	seeds_check(!used[news->from][news->number]);
	used[news->from][news->number] = known[place] = true;
	order[place] = *news;
}

static int receive_one(struct filch_broadcast_receiver *receiver, struct news *news, uint64_t *lost)
{
	switch (seeds_pick(4)) {
	case 0:
		return filch_broadcast_get_until(receiver, news, lost, crew_soon());
	case 1:
		return seeds_patient(
			filch_broadcast_get_until(receiver, news, lost, seeds_patience()));
	case 2:
		return filch_broadcast_try_get(receiver, news, lost);
	default:
		return filch_broadcast_get(receiver, news, lost);
	}
}

static int receive_all(struct filch_broadcast_receiver *receiver, uint64_t *place)
{
	unsigned next[SENDERS] = { 0 };
	int status;

	do {
		struct news news;
		uint64_t lost = 0;

		status = receive_one(receiver, &news, &lost);
		seeds_check((status == -EOVERFLOW) == (lost > 0));
		*place += lost;
		if (status == 0) {
			see((*place)++, &news);
			seeds_check(news.number >= next[news.from]);
			next[news.from] = news.number + 1;
			crew_pause();
		} else if (status == -ETIMEDOUT || status == -EAGAIN) {
			status = filch_yield();
		}
		if (seeds_pick(20) == 0)
			return 0; /* had enough */
	} while (status == 0 || status == -EOVERFLOW);
	return status;
}

static int receive(struct player *self)
{
	unsigned index = self->index - SENDERS;
	struct filch_broadcast_receiver *receiver = &receivers[index];
	uint64_t place;
	int status;

	/* The first one is there before anything is sent. */
	if (index > 0) {
		crew_pause();
		seeds_check(filch_broadcast_subscribe(&broadcast, receiver) == 0);
	}
	place = receiver->next;
	seeds_check(index > 0 || place == 0);
	status = receive_all(receiver, &place);
	seeds_check(status == 0 || status == -ENODATA || status == -ECANCELED || status == -ENOMEM);
	if (status == -ENODATA)
		ends[index] = place + 1;
	filch_broadcast_unsubscribe(receiver);
	return status == -ENODATA ? 0 : status;
}

static int send_or_receive(struct player *self)
{
	return self->index < SENDERS ? send_all(self) : receive(self);
}

static int spread_news(void *arg)
{
	struct filch_broadcast_options options = { .size = sizeof(options),
						   .element_size = sizeof(struct news),
						   .capacity = 1 + seeds_pick(3) };
	int status = filch_broadcast_init(&broadcast, &options);

	(void)arg;
	if (status < 0)
		return status;
	seeds_check(filch_broadcast_add_sender(&broadcast) == 0);
	seeds_check(filch_broadcast_subscribe(&broadcast, &receivers[0]) == 0);
	status = crew_run(SENDERS + RECEIVERS, send_or_receive);
	filch_broadcast_unsubscribe(&receivers[0]);
	for (unsigned i = 0; i < RECEIVERS; i++)
		seeds_check(ends[i] == 0 || ends[i] == put + 1);
	seeds_check(filch_broadcast_waiting(&broadcast) == 0);
	seeds_check(filch_broadcast_fini(&broadcast) == 0);
	return status;
}

Test(broadcast, each_receiver_gets_every_value_in_order_or_its_count, .timeout = 110)
{
	static const struct scenario scenario = { "broadcast", spread_news, reset, 0 };

	seeds_explore(&scenario, 14000);
}
