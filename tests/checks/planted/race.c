/* Two tasks on two workers, one writes what the other reads: ordered, or not at all ("planted"). */
#include "base/atomic.h"

#include <errno.h>
#include <filch.h>
#include <stdlib.h>

struct pair {
	struct filch_word32 present, told;
	long value;
	bool is_planted;
};

static void tell(struct pair *pair)
{
	if (pair->is_planted)
		word32_store_relaxed(&pair->told, 1); /* relaxed: the planted fault */
	else
		word32_store_release(&pair->told, 1); /* pairs with the acquire in hear */
}

static void hear(struct pair *pair)
{
	/* relaxed: the planted fault; acquire: pairs with the release in tell. */
	while ((pair->is_planted ? word32_load_relaxed(&pair->told)
				 : word32_load_acquire(&pair->told)) == 0)
		;
}

/* Returns once the other one runs, too. */
static void meet(struct pair *pair)
{
	filch_sleep(FILCH_MILLISECOND); /* parks: from here on on a stack that was left once */
	/* relaxed: orders nothing, on purpose. */
	word32_add_relaxed(&pair->present, 1);
	/* relaxed: as above. */
	while (word32_load_relaxed(&pair->present) < 2)
		;
}

static int writes(void *arg)
{
	struct pair *pair = arg;

	meet(pair);
	pair->value = 7;
	tell(pair);
	return 0;
}

static int reads(void *arg)
{
	struct pair *pair = arg;

	meet(pair);
	hear(pair);
	return pair->value == 7 ? 0 : -EINVAL;
}

static int owns_both(void *arg)
{
	struct filch_group group;

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, writes, arg);
	filch_group_spawn(&group, reads, arg);
	return filch_group_close(&group);
}

int main(int count, char **words)
{
	struct filch_options two = { .size = sizeof(two), .workers = 2 };
	struct pair pair = { .is_planted = count > 1 };

	(void)words;
	return filch_run_with(&two, owns_both, &pair) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
