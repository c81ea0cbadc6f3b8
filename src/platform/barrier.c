/* The heavy side: membarrier(2), private expedited. */
#include "platform/barrier.h"

#include "base/world.h"
#include "platform/fault.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static long membarrier(int command)
{
	int saved = errno;
	long result = syscall(SYS_membarrier, command, 0, 0);

	errno = saved;
	return result;
}

bool filch__barrier_register(void)
{
	struct world *world = filch__world_self();
	long commands;

	if (world)
		return !world->fenced;
	commands = membarrier(MEMBARRIER_CMD_QUERY);
	if (filch__fault_hit(FILCH__FAULT_BARRIER))
		return false;
	if (commands < 0 || !(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return false;
	return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

void filch__barrier_heavy(void)
{
	if (likely(!filch__world_self())) /* strands run one at a time, on one processor */
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
