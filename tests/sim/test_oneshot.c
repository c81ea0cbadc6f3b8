/* Oneshots in simulation: one value or none, to one who waits or nobody; all are told. */
#include "sim/crew.h"

#define SETTLERS 3

static struct filch_oneshot oneshot;
static unsigned value, put, abandoned, closed, got, answer;

static void reset(void)
{
	put = abandoned = closed = got = answer = value = 0;
}

static void put_one(struct player *self)
{
	unsigned mine = 10 + self->index;
	int status = filch_oneshot_put(&oneshot, &mine);

	if (status == 0) {
		put++;
		answer = mine;
	}
	seeds_check(status == 0 || status == -EALREADY || status == -EPIPE);
	/* Only a close keeps the value with who wanted to put it. */
	seeds_check(status != -EPIPE || put + abandoned == 0);
}

/* Each of them says how it ends; the first one's word holds. */
static int settle(struct player *self)
{
	int status = 0;

	crew_pause();
	switch (seeds_pick(4)) {
	case 0:
		status = filch_oneshot_abandon(&oneshot);
		abandoned += status == 0;
		break;
	case 1:
		status = filch_oneshot_close(&oneshot);
		closed += status == 0;
		break;
	default:
		put_one(self);
		break;
	}
	seeds_check(status == 0 || status == -EALREADY);
	return 0;
}

static int get_one(unsigned *mine)
{
	switch (seeds_pick(4)) {
	case 0:
		return filch_oneshot_get_until(&oneshot, mine, crew_soon());
	case 1:
		return seeds_patient(filch_oneshot_get_until(&oneshot, mine, seeds_patience()));
	case 2:
		return filch_oneshot_try_get(&oneshot, mine);
	default:
		return filch_oneshot_get(&oneshot, mine);
	}
}

static int take(void)
{
	unsigned mine = 0;
	int status;

	do {
		crew_pause();
		status = get_one(&mine);
		if (status == -ETIMEDOUT || status == -EAGAIN)
			status = filch_yield() < 0 ? -ECANCELED : -EAGAIN;
	} while (status == -EAGAIN);
	if (status == 0) {
		got++;
		seeds_check(mine == value && mine >= 10);
	}
	seeds_check(status == 0 || status == -EPIPE || status == -ECANCELED || status == -ENOMEM);
	return status == -EPIPE ? 0 : status;
}

static int settle_or_take(struct player *self)
{
	return self->index < SETTLERS ? settle(self) : take();
}

static int promise(void *arg)
{
	unsigned mine = 0;
	int status, last;

	(void)arg;
	seeds_check(filch_oneshot_init(&oneshot, sizeof(value), &value) == 0);
	status = crew_run(SETTLERS + 3, settle_or_take);
	seeds_check(put + abandoned + closed <= 1);
	seeds_check(status < 0 || put + abandoned + closed == 1);
	/* What nobody took is still there: for one. */
	last = filch_oneshot_try_get(&oneshot, &mine);
	seeds_check((last == 0) == (put == 1 && got == 0));
	seeds_check(last < 0 || mine == answer);
	seeds_check(filch_oneshot_try_get(&oneshot, &mine) ==
		    (put + abandoned + closed ? -EPIPE : -EAGAIN));
	seeds_check(got <= put && filch_oneshot_waiting(&oneshot) == 0);
	seeds_check(filch_oneshot_fini(&oneshot) == 0);
	return status;
}

Test(oneshot, is_settled_once_and_its_value_taken_by_one, .timeout = 110)
{
	static const struct scenario scenario = { "oneshot", promise, reset, 0 };

	seeds_explore(&scenario, 14000);
}
