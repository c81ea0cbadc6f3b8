/* The lock of src/sync/lock.c: exclusion, hand-over, waits that end otherwise, its end. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "mirror_lock.h"

/* ---- the clients ---- */

enum role { TAKES, TAKES_TWICE, MAY_BE_LATE, HAS_IT, TAKES_AND_FREES };

template <enum role... Roles>
struct lock_test : rl::test_suite<lock_test<Roles...>, sizeof...(Roles)> {
	struct filch_lock lock;
	struct parker parkers[MOST];
	PLAIN(int) inside;
	static constexpr enum role ROLES[] = { Roles... };

	void before()
	{
		model::begin();
		lock_set(&lock);
		PLAIN_WRITE(inside, 0);
		for (int i = 0; i < MOST; i++)
			word64_store_relaxed(&parkers[i].word, 0);
		if (ROLES[0] == HAS_IT)
			take(&lock, 16);
	}

	void visit(unsigned index)
	{
		uint64_t self = (index + 1) * 16;

		bool may_be_late = ROLES[index] == MAY_BE_LATE;
		int status = 0;

		if (ROLES[index] != HAS_IT)
			status = acquire(&lock, &parkers[index], self, may_be_late);
		model::require(status == 0 || (may_be_late && status == -ETIMEDOUT),
			       "who is not late gets it");
		if (status < 0)
			return;
		PLAIN_WRITE(inside, PLAIN_READ(inside) + 1);
		release(&lock, self);
	}

	void thread(unsigned index)
	{
		visit(index);
		if (ROLES[index] == TAKES_TWICE)
			visit(index);
		if (ROLES[index] != TAKES_AND_FREES)
			return;
		/* Now it is nobody's. */
		lock_free(&lock);
	}

	void after()
	{
		model::require(word64_load_relaxed(&lock.state) == 0, "the lock is free");
		model::require(lock.waiting == 0 && lock.leaving == 0, "nobody is left");
	}
};

template <enum role... Roles> constexpr enum role lock_test<Roles...>::ROLES[];

static const struct model::client clients[] = {
	{ "2 take it", model::search<lock_test<TAKES, TAKES>>, 50000, true },
	{ "3 take it", model::search<lock_test<TAKES, TAKES, TAKES>>, 50000, true },
	{ "one comes again", model::search<lock_test<TAKES_TWICE, TAKES, TAKES>>, 50000, true },
	{ "one may be late", model::search<lock_test<HAS_IT, MAY_BE_LATE, TAKES>>, 50000, true },
	{ "two may be late", model::search<lock_test<HAS_IT, MAY_BE_LATE, MAY_BE_LATE, TAKES>>,
	  50000, true },
	{ "the last one frees it", model::search<lock_test<HAS_IT, TAKES_AND_FREES>>, 50000, true },
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "_lock", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
