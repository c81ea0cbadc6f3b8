/* Select: arms that would put what they get into the same place. */
#include "sync/queues.h"

#define VALUES 3000

static struct filch_queue queues[2];

static int put_all(void *arg)
{
	int which = *(int *)arg, status = 0;

	for (int i = 0; status == 0 && i < VALUES; i++)
		status = put_int(&queues[which], 2 * i + which);
	return status;
}

/* Some of these give up, and look for their own element in vain. */
static int get_some(void *arg)
{
	for (int i = 0; i < VALUES / 4; i++) {
		int value = -1;
		int status = filch_queue_get_until(arg, &value, filch_now() + i % 3 * 1000);

		cr_expect_eq(value == -1, status < 0, "%d and %d", status, value);
		cr_expect(status == 0 || status == -ETIMEDOUT);
		if (status == 0)
			cr_expect_eq(put_int(arg, value), 0);
	}
	return 0;
}

static int share(void *arg)
{
	static const size_t capacities[] = { 0, 2 };
	struct filch_group group;
	int both[2] = { 0, 1 };

	(void)arg;
	for (int round = 0; round < 2; round++) {
		make_queue(&queues[0], capacities[round]);
		make_queue(&queues[1], capacities[round]);
		filch_group_open(&group, NULL);
		for (int i = 0; i < 2; i++) {
			filch_group_spawn(&group, put_all, &both[i]);
			filch_group_spawn(&group, get_some, &queues[i]);
		}
		for (int i = 0; i < 2 * VALUES; i++) {
			int value = -1;
			struct filch_arm arms[] = { filch_queue_get_arm(&queues[0], &value),
						    filch_queue_get_arm(&queues[1], &value) };
			size_t index = 2;

			cr_expect_eq(filch_select_wait(arms, 2, 0, &index), 0);
			cr_expect_eq((size_t)value % 2, index, "%d from %zu", value, index);
		}
		cr_expect_eq(filch_group_close(&group), 0);
		end_queue(&queues[0]);
		end_queue(&queues[1]);
	}
	return 0;
}

/* SL1, QU24 */
Test(select_place, only_the_arm_that_fires_writes_there_and_a_get_that_fails_does_not,
     .timeout = 200)
{
	play(share);
}
