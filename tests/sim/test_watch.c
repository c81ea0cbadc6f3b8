/* Watches in simulation: values may be skipped, the last one never is. */
#include "sim/crew.h"

#define SENDERS 2
#define RECEIVERS 3
#define EACH 4
#define MOST (SENDERS * EACH)

struct state {
	unsigned from, number;
	unsigned sum; /* of both: it is copied whole */
};

static struct filch_watch watch;
static struct filch_watch_receiver receivers[RECEIVERS];
static struct state value, order[MOST + 1]; /* the value of each version, the same for all */
static bool known[MOST + 1], used[SENDERS][EACH + 1];
static unsigned put;

static void reset(void)
{
	memset(receivers, 0, sizeof(receivers));
	memset(known, 0, sizeof(known));
	memset(used, 0, sizeof(used));
	put = 0;
}

/* Whoever is parked has seen what is there. */
static int look_at_parked(void)
{
	unsigned through = 0;
	int status = filch_simulation_wait_all_parked();

	for (int i = 0; i < RECEIVERS; i++)
		through += receivers[i].watch && receivers[i].seen == watch.version;
	seeds_check(status < 0 || filch_watch_waiting(&watch) <= through);
	return status;
}

static int send_all(struct player *self)
{
	int status = 0;

	for (unsigned i = 1; i <= EACH && status == 0; i++) {
		struct state state = { self->index, i, self->index + i };

		seeds_check(filch_watch_put(&watch, &state) == 0);
		put++;
		crew_pause();
		/* One of them, as each is parked to the other one. */
		if (self->index == 0 && seeds_pick(3) == 0)
			status = look_at_parked();
	}
	seeds_check(filch_watch_close(&watch) == 0);
	return status;
}

static void see(uint64_t version, const struct state *state)
{
	bool is_one = version <= MOST && state->from < SENDERS && state->number <= EACH;

	seeds_check(is_one && state->sum == state->from + state->number);
	if (!is_one)
		return;
	if (known[version]) {
		seeds_check(memcmp(&order[version], state, sizeof(*state)) == 0);
		return;
	}
	seeds_check(!used[state->from][state->number]);
	used[state->from][state->number] = known[version] = true;
	order[version] = *state;
}

static bool is_late(const void *element, void *arg)
{
	const struct state *state = element;

	(void)arg;
	crew_pause(); /* under no guard */
	return state->number >= EACH / 2;
}

/* 1: it was waited for a predicate, which may be true of what was seen before. */
static int receive_one(struct filch_watch_receiver *receiver, struct state *state, bool *any)
{
	*any = false;
	switch (seeds_pick(6)) {
	case 0:
		return filch_watch_wait_until(receiver, state, crew_soon());
	case 1:
		return seeds_patient(filch_watch_wait_until(receiver, state, seeds_patience()));
	case 2:
		return filch_watch_try_wait(receiver, state);
	case 3:
		*any = true;
		return filch_watch_wait_for(receiver, is_late, NULL, state);
	case 4:
		*any = true;
		return filch_watch_wait_for_until(receiver, is_late, NULL, state, crew_soon());
	default:
		return filch_watch_wait(receiver, state);
	}
}

/* The end is told to who has seen the last value, and if it is waited for one, not when that is. */
static void see_end(const struct filch_watch_receiver *receiver, bool any)
{
	struct state last;

	seeds_check(filch_watch_get(&watch, &last) == 0);
	see(receiver->seen, &last);
	seeds_check(receiver->seen == watch.version && receiver->seen == put);
	seeds_check(!any || last.number < EACH / 2);
}

static int receive_all(struct filch_watch_receiver *receiver)
{
	for (;;) {
		struct state state;
		uint64_t seen = receiver->seen;
		bool any;
		int status = receive_one(receiver, &state, &any);

		if (status == 0) {
			seeds_check(any ? receiver->seen >= seen : receiver->seen > seen);
			seeds_check(!any || state.number >= EACH / 2);
			see(receiver->seen, &state);
			crew_pause();
		} else if (status == -ENODATA) {
			see_end(receiver, any);
		} else if (status == -ETIMEDOUT || status == -EAGAIN) {
			status = filch_yield();
		}
		/* The predicate may be true for ever. */
		if (status < 0 || (any && filch_yield() < 0) || seeds_pick(20) == 0)
			return status;
	}
}

static int receive(struct player *self)
{
	unsigned index = self->index - SENDERS;
	int status;

	if (index > 0) {
		crew_pause();
		seeds_check(filch_watch_subscribe(&watch, &receivers[index]) == 0);
	}
	status = receive_all(&receivers[index]);
	seeds_check(status == 0 || status == -ENODATA || status == -ECANCELED || status == -ENOMEM);
	filch_watch_unsubscribe(&receivers[index]);
	return status == -ENODATA ? 0 : status;
}

static int send_or_receive(struct player *self)
{
	return self->index < SENDERS ? send_all(self) : receive(self);
}

static int change(void *arg)
{
	static const struct state first = { 0, 0, 0 };
	struct state last;
	int status = filch_watch_init(&watch, sizeof(value), &value, &first);

	(void)arg;
	seeds_check(status == 0);
	seeds_check(filch_watch_add_sender(&watch) == 0);
	seeds_check(filch_watch_subscribe(&watch, &receivers[0]) == 0);
	status = crew_run(SENDERS + RECEIVERS, send_or_receive);
	filch_watch_unsubscribe(&receivers[0]);
	seeds_check(filch_watch_get(&watch, &last) == 0);
	see(put, &last);
	seeds_check(watch.version == put);
	seeds_check(filch_watch_waiting(&watch) == 0);
	seeds_check(filch_watch_fini(&watch) == 0);
	return status;
}

Test(watch, each_receiver_sees_versions_go_up_and_the_last_one, .timeout = 110)
{
	static const struct scenario scenario = { "watch", change, reset, 0 };

	seeds_explore(&scenario, 14000);
}
