/* The limiter: a count, a line, and the set of those who hold or wait. */
#include <filch/limiter.h>

#include "sync/line.h"
#include "sync/lock.h"

#include <errno.h>

/*
 * The loans, held or waited for, are a trie over the hash of the borrower: every node is an
 * element, its child is chosen by two bits per level. The hash is a bijection, so the depth is at
 * most 32, and some log4(n) as a rule.
 */

static uint64_t hash_of(const void *borrower)
{
	uint64_t hash = (uintptr_t)borrower;

	hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
	return hash ^ hash >> 31;
}

/* Guarded: where it stands, or would stand. */
static struct filch_loan **find(struct filch_limiter *limiter, const void *borrower)
{
	struct filch_loan **at = &limiter->loans;

	for (uint64_t hash = hash_of(borrower); *at && (*at)->borrower != borrower; hash >>= 2)
		at = &(*at)->child[hash & 3];
	return at;
}

static void insert(struct filch_loan **at, struct filch_loan *loan, const void *borrower)
{
	*loan = (struct filch_loan){ .borrower = borrower };
	*at = loan;
}

/* A leaf from below takes its place. */
static void take_out(struct filch_loan **at)
{
	struct filch_loan *loan = *at, *leaf;
	struct filch_loan **from = at;

	for (int i = 0; i < 4;) {
		if ((*from)->child[i]) {
			from = &(*from)->child[i];
			i = 0;
		} else {
			i++;
		}
	}
	leaf = *from;
	*from = NULL;
	if (leaf != loan) {
		for (int i = 0; i < 4; i++)
			leaf->child[i] = loan->child[i];
		*at = leaf;
	}
}

/* ---- Acquiring ---- */

struct loan_waiter {
	struct line_waiter line; /* first */
	struct filch_loan *loan;
};

static bool has_left(const struct filch_limiter *limiter)
{
	return limiter->total == FILCH_LIMITER_UNLIMITED || limiter->borrowed < limiter->total;
}

static uint64_t choose_served(struct filch_line *line, uint64_t state, struct line_batch *batch,
			      void *context)
{
	struct filch_limiter *limiter = context;
	struct line_waiter *waiter;

	while (!line_batch_is_full(batch) && has_left(limiter) &&
	       (waiter = filch__line_first(line, &state))) {
		struct filch_loan *loan = ((struct loan_waiter *)(void *)waiter)->loan;

		loan->held = 1;
		if (filch__line_take(line, &state, waiter, batch, 0))
			limiter->borrowed++;
		else
			loan->held = 0; /* it leaves under the guard, so it is still there */
	}
	return state;
}

/* Guarded: 0, -EAGAIN (the loan is in the set, not held), or an error. */
static int take_guarded(struct filch_limiter *limiter, uint64_t *state, struct filch_loan *loan,
			const void *borrower)
{
	struct filch_loan **at = find(limiter, borrower);

	if (*at)
		return -EDEADLK;
	insert(at, loan, borrower);
	if (!has_left(limiter) || filch__line_first(&limiter->line, state))
		return -EAGAIN;
	loan->held = 1;
	limiter->borrowed++;
	return 0;
}

static int check(const struct filch_limiter *limiter, const struct filch_loan *loan,
		 const void *borrower)
{
	return limiter && loan && borrower ? 0 : -EINVAL;
}

/* The nth of those below that are held; counts *n down. The depth is bounded, see above. */
static const void *nth_borrower(const struct filch_loan *loan, unsigned *n)
{
	const void *found = NULL;

	if (!loan)
		return NULL;
	if (loan->held && (*n)-- == 0)
		return loan->borrower;
	for (int i = 0; i < 4 && !found; i++)
		found = nth_borrower(loan->child[i], n);
	return found;
}

static uint64_t holder(const void *object, unsigned n)
{
	return (uintptr_t)nth_borrower(((const struct filch_limiter *)object)->loans, &n);
}

static const struct waited waited_limiter = { .name = "a limiter", .holder = holder };

int filch_limiter_acquire_for_until(struct filch_limiter *limiter, struct filch_loan *loan,
				    const void *borrower, filch_time deadline)
{
	struct loan_waiter waiter = { .loan = loan };
	int status = check(limiter, loan, borrower);
	uint64_t state;

	if (status == 0)
		status = filch__line_enter(false);
	if (status < 0)
		return status;
	state = filch__line_guard(&limiter->line);
	status = take_guarded(limiter, &state, loan, borrower);
	if (status != -EAGAIN) {
		line_unguard(&limiter->line, state);
		return status;
	}
	status = filch__line_wait(&limiter->line, &state, &waiter.line, &waited_limiter, deadline);
	if (status == 0)
		return 0;
	take_out(find(limiter, borrower));
	filch__line_serve(&limiter->line, state, choose_served, limiter);
	return status;
}

int filch_limiter_try_acquire_for(struct filch_limiter *limiter, struct filch_loan *loan,
				  const void *borrower)
{
	int status = check(limiter, loan, borrower);
	uint64_t state;

	if (status == 0)
		status = filch__line_enter_try();
	if (status < 0)
		return status;
	state = filch__line_guard(&limiter->line);
	status = take_guarded(limiter, &state, loan, borrower);
	if (status == -EAGAIN)
		take_out(find(limiter, borrower));
	line_unguard(&limiter->line, state);
	return status;
}

/* The caller as a borrower. */
static const void *self(void)
{
	return (const void *)(uintptr_t)filch__lock_self();
}

int filch_limiter_acquire_for(struct filch_limiter *limiter, struct filch_loan *loan,
			      const void *borrower)
{
	return filch_limiter_acquire_for_until(limiter, loan, borrower, FILCH_NEVER);
}

int filch_limiter_acquire(struct filch_limiter *limiter, struct filch_loan *loan)
{
	return filch_limiter_acquire_for_until(limiter, loan, self(), FILCH_NEVER);
}

int filch_limiter_acquire_until(struct filch_limiter *limiter, struct filch_loan *loan,
				filch_time deadline)
{
	return filch_limiter_acquire_for_until(limiter, loan, self(), deadline);
}

int filch_limiter_try_acquire(struct filch_limiter *limiter, struct filch_loan *loan)
{
	return filch_limiter_try_acquire_for(limiter, loan, self());
}

/* ---- Releasing ---- */

int filch_limiter_release_for(struct filch_limiter *limiter, const void *borrower)
{
	struct filch_loan **at;
	uint64_t state;

	if (!limiter || !borrower)
		return -EINVAL;
	state = filch__line_guard_to_wake(&limiter->line);
	at = find(limiter, borrower);
	if (!*at || !(*at)->held) {
		line_unguard(&limiter->line, state);
		return -EPERM;
	}
	take_out(at);
	limiter->borrowed--;
	filch__line_serve(&limiter->line, state, choose_served, limiter);
	return 0;
}

int filch_limiter_release(struct filch_limiter *limiter)
{
	return filch_limiter_release_for(limiter, self());
}

int filch_limiter_set_total(struct filch_limiter *limiter, uint32_t total)
{
	uint64_t state;

	if (!limiter)
		return -EINVAL;
	state = filch__line_guard_to_wake(&limiter->line);
	limiter->total = total;
	filch__line_serve(&limiter->line, state, choose_served, limiter);
	return 0;
}

/* ---- All else ---- */

int filch_limiter_fini(struct filch_limiter *limiter)
{
	uint64_t state;
	bool borrowed;

	if (!limiter)
		return 0;
	state = filch__line_guard(&limiter->line);
	borrowed = limiter->borrowed != 0;
	line_unguard(&limiter->line, state);
	return borrowed || state & (LINE_QUEUED | LINE_BUSY) ? -EBUSY : 0;
}

void filch_limiter_get_statistics(struct filch_limiter *limiter,
				  struct filch_limiter_statistics *statistics)
{
	uint64_t state = filch__line_guard(&limiter->line);

	*statistics = (struct filch_limiter_statistics){
		.total = limiter->total,
		.borrowed = limiter->borrowed,
		.waiting = limiter->line.waiting,
		.contended = limiter->line.tickets,
	};
	line_unguard(&limiter->line, state);
}
