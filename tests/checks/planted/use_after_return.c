/* A task reads the local of another one's frame: that has returned ("planted"), or that waits for it. */
#include <errno.h>
#include <filch.h>
#include <stdlib.h>

struct box {
	int *local;
	bool is_planted;
};

static int reads(void *arg)
{
	struct box *box = arg;

	filch_sleep(FILCH_MILLISECOND); /* parks: the stacks were switched in between */
	return *box->local == 7 ? 0 : -EINVAL;
}

static __attribute__((noinline)) int shows_its_local(struct filch_group *group, struct box *box)
{
	int local = 7;

	box->local = &local;
	filch_group_spawn(group, reads, box);
	return box->is_planted ? 0 : filch_group_close(group);
}

static int owns_the_frame(void *arg)
{
	struct box *box = arg;
	struct filch_group group;
	int status;

	filch_group_open(&group, NULL);
	status = shows_its_local(&group, box);
	return box->is_planted ? filch_group_close(&group) : status;
}

int main(int count, char **words)
{
	struct box box = { NULL, count > 1 };

	(void)words;
	return filch_run(owns_the_frame, &box) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
