/* Limiter and parking lot in simulation. */
#include "sim/crew.h"

#define TOTAL_MOST 3

static struct filch_limiter limiter;
static int borrowed;

static void reset_limiter(void)
{
	memset(&limiter, 0, sizeof(limiter));
	filch_limiter_set_total(&limiter, 2);
	borrowed = 0;
}

static int borrow(struct filch_loan *loan)
{
	switch (seeds_pick(4)) {
	case 0:
		return filch_limiter_acquire_until(&limiter, loan, crew_soon());
	case 1:
		return seeds_patient(filch_limiter_acquire_until(&limiter, loan, seeds_patience()));
	case 2:
		return filch_limiter_try_acquire(&limiter, loan);
	default:
		return filch_limiter_acquire(&limiter, loan);
	}
}

static int borrow_or_change(struct player *self)
{
	for (int i = 0; i < 3; i++) {
		struct filch_loan loan;
		int status;

		if (self->index == 0) {
			filch_limiter_set_total(&limiter, seeds_pick(TOTAL_MOST + 1));
			crew_pause();
			continue;
		}
		status = borrow(&loan);
		if (status == -ECANCELED)
			return status;
		if (status < 0)
			continue;
		seeds_check(++borrowed <= TOTAL_MOST);
		seeds_check(filch_limiter_try_acquire(&limiter, &loan) == -EDEADLK);
		crew_pause();
		borrowed--;
		seeds_check(filch_limiter_release(&limiter) == 0);
	}
	if (self->index == 0)
		filch_limiter_set_total(&limiter, TOTAL_MOST);
	return 0;
}

static int borrowers(void *arg)
{
	struct filch_limiter_statistics statistics;
	int status = crew_run(6, borrow_or_change);

	(void)arg;
	filch_limiter_get_statistics(&limiter, &statistics);
	seeds_check(borrowed == 0 && statistics.borrowed == 0 && statistics.waiting == 0);
	seeds_check(filch_limiter_fini(&limiter) == 0);
	return status;
}

Test(limiter, loans_are_conserved_while_the_total_changes, .timeout = 110)
{
	static const struct scenario scenario = { "limiter", borrowers, reset_limiter, 0 };

	seeds_explore(&scenario, 12000);
}

/* ---- Parking lot ---- */

static struct filch_parking_lot lots[2];
static unsigned parked, left;

static void reset_lots(void)
{
	memset(lots, 0, sizeof(lots));
	parked = left = 0;
}

static int park(struct player *self)
{
	struct filch_parking_lot *lot = &lots[self->index & 1];
	int status;

	parked++;
	switch (seeds_pick(3)) {
	case 0:
		status = filch_parking_lot_park_until(lot, crew_soon());
		break;
	case 1:
		status = seeds_patient(filch_parking_lot_park_until(lot, seeds_patience()));
		break;
	default:
		status = filch_parking_lot_park(lot);
		break;
	}
	left++;
	return status == -ENOTRECOVERABLE ? 0 : status;
}

static int unpark(void)
{
	for (int i = 0; i < 5; i++) {
		struct filch_parking_lot *lot = &lots[seeds_pick(2)];

		if (seeds_pick(2))
			filch_parking_lot_unpark(lot, 1 + seeds_pick(2), NULL);
		else
			filch_parking_lot_repark(lot, lot == lots ? &lots[1] : &lots[0],
						 1 + seeds_pick(2), NULL);
		crew_pause();
	}
	/* Whoever is left. */
	filch_parking_lot_break(&lots[0]);
	filch_parking_lot_break(&lots[1]);
	return 0;
}

static int park_or_unpark(struct player *self)
{
	return self->index == 0 ? unpark() : park(self);
}

static int parkers(void *arg)
{
	int status = crew_run(6, park_or_unpark);

	(void)arg;
	seeds_check(parked == left);
	for (int i = 0; i < 2; i++) {
		struct filch_parking_lot_statistics statistics;

		filch_parking_lot_get_statistics(&lots[i], &statistics);
		seeds_check(statistics.waiting == 0);
		seeds_check(filch_parking_lot_fini(&lots[i]) == 0);
	}
	return status;
}

Test(parking_lot, whoever_is_moved_about_is_woken_or_told_that_it_is_broken, .timeout = 110)
{
	static const struct scenario scenario = { "parking lot", parkers, reset_lots, 0 };

	seeds_explore(&scenario, 12000);
}

static int stand_in_line(struct player *self)
{
	int status = filch_parking_lot_park(&lots[0]);

	if (status == 0)
		crew_note(self);
	return status;
}

static void unpark_one(void)
{
	filch_parking_lot_unpark(&lots[0], 1, NULL);
}

static int line(void *arg)
{
	unsigned served;
	int status = crew_line(stand_in_line, unpark_one, 3, &served);

	(void)arg;
	seeds_check(status < 0 || served >= 2);
	seeds_check(filch_parking_lot_fini(&lots[0]) == 0);
	return status;
}

Test(parking_lot, the_oldest_is_woken_first, .timeout = 110)
{
	static const struct scenario scenario = { "parking lot's line", line, reset_lots, 0 };

	seeds_explore(&scenario, 6000);
}
