/* The futex system calls, private to the process. */
#include "platform/futex.h"

#include "base/world.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* WAIT_BITSET takes an absolute time, plain WAIT a relative one. */
int filch__futex_wait(struct filch_word32 *word, uint32_t expected, int64_t deadline)
{
	struct world *world = filch__world_self();
	int64_t at = deadline > 0 ? deadline : 0;
	struct timespec limit = { .tv_sec = (time_t)(at / 1000000000),
				  .tv_nsec = (long)(at % 1000000000) };
	int saved = errno;
	int status = 0;

	if (unlikely(world != NULL))
		return world->calls->wait(world, word, expected, deadline);
	if (syscall(SYS_futex, &word->value, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
		    deadline == INT64_MAX ? NULL : &limit, NULL, FUTEX_BITSET_MATCH_ANY) != 0 &&
	    errno == ETIMEDOUT)
		status = -ETIMEDOUT;
	errno = saved;
	return status;
}

void filch__futex_wake(struct filch_word32 *word, int n)
{
	struct world *world = filch__world_self();
	int saved = errno;

	if (unlikely(world != NULL)) {
		world->calls->wake(world, word, n);
		return;
	}
	syscall(SYS_futex, &word->value, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
	errno = saved;
}
