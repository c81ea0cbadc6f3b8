/* The latch: a count and a line. */
#include <filch/latch.h>

#include "sync/line.h"

#include <errno.h>
#include <stdio.h>

#define COUNT(n) ((n) << LINE_SHIFT)

static bool is_zero(const struct filch_latch *latch)
{
	/* acquire: pairs with the release in filch_latch_done, of each: they are one release
	 * sequence, as all change the word by a cas. */
	return LINE_VALUE(word64_load_acquire(&latch->line.state)) == 0;
}

static void describe(const void *object, char *text, size_t size)
{
	const struct filch_latch *latch = object;

	/* relaxed: nothing runs. */
	snprintf(text, size, "%llu to be done",
		 (unsigned long long)LINE_VALUE(word64_load_relaxed(&latch->line.state)));
}

static const struct waited waited_latch = { .name = "a latch", .describe = describe };

int filch_latch_wait_until(struct filch_latch *latch, filch_time deadline)
{
	struct line_waiter waiter = { .amount = 0 };
	uint64_t state;
	int status;

	if (!latch)
		return -EINVAL;
	status = filch__line_enter(!is_zero(latch));
	if (status < 0 || is_zero(latch))
		return status;
	state = filch__line_guard(&latch->line);
	if (LINE_VALUE(state) == 0) {
		line_unguard(&latch->line, state);
		return 0;
	}
	status = filch__line_wait(&latch->line, &state, &waiter, &waited_latch, deadline);
	if (status == 0)
		return 0;
	line_unguard(&latch->line, state);
	return status;
}

int filch_latch_wait(struct filch_latch *latch)
{
	return filch_latch_wait_until(latch, FILCH_NEVER);
}

int filch_latch_try_wait(struct filch_latch *latch)
{
	int status = latch ? filch__line_enter_try() : -EINVAL;

	return status < 0 || is_zero(latch) ? status : -EAGAIN;
}

int filch_latch_add(struct filch_latch *latch, uint64_t count)
{
	uint64_t state;

	if (!latch)
		return -EINVAL;
	/* relaxed: raising hands nothing over. */
	state = word64_load_relaxed(&latch->line.state);
	do {
		if (state & LINE_GUARD) {
			state = filch__line_guard(&latch->line);
			line_unguard(&latch->line, state);
		}
		if (count > FILCH_LATCH_MAX - LINE_VALUE(state))
			return -EOVERFLOW;
		/* relaxed: it continues the release sequence of those who were done. */
	} while (!word64_cas_relaxed(&latch->line.state, &state, state + COUNT(count)));
	return 0;
}

static FILCH_COLD int done_slowly(struct filch_latch *latch, uint64_t count)
{
	uint64_t state = filch__line_guard_to_wake(&latch->line);
	uint64_t last = latch->line.tickets;

	if (count > LINE_VALUE(state)) {
		line_unguard(&latch->line, state);
		return -EOVERFLOW;
	}
	state -= COUNT(count);
	if (LINE_VALUE(state) == 0)
		filch__line_serve(&latch->line, state, filch__line_choose_until, &last);
	else
		line_unguard(&latch->line, state);
	return 0;
}

int filch_latch_done(struct filch_latch *latch, uint64_t count)
{
	uint64_t state;

	if (!latch)
		return -EINVAL;
	/* relaxed: the cas orders. */
	state = word64_load_relaxed(&latch->line.state);
	do {
		if (state & (LINE_GUARD | LINE_BUSY) ||
		    (state & LINE_QUEUED && LINE_VALUE(state) <= count))
			return done_slowly(latch, count);
		if (count > LINE_VALUE(state))
			return -EOVERFLOW;
		/* release: pairs with the acquire in is_zero, and in filch__line_guard. The last
		 * touch. */
	} while (!word64_cas_release(&latch->line.state, &state, state - COUNT(count)));
	return 0;
}

int filch_latch_fini(struct filch_latch *latch)
{
	return latch ? filch__line_fini(&latch->line) : 0;
}

void filch_latch_get_statistics(struct filch_latch *latch,
				struct filch_latch_statistics *statistics)
{
	uint64_t state = filch__line_guard(&latch->line);

	*statistics = (struct filch_latch_statistics){
		.count = LINE_VALUE(state),
		.waiting = latch->line.waiting,
		.contended = latch->line.tickets,
	};
	line_unguard(&latch->line, state);
}
