/* The affinity mask. */
#include "platform/cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#define MOST_CPUS 65536u

/* The caller's mask, to be freed with CPU_FREE; *size in bytes. The kernel's own may be
 * larger than a cpu_set_t: EINVAL asks for a larger one. */
static cpu_set_t *read_mask(size_t *size)
{
	for (unsigned cpus = CPU_SETSIZE; cpus <= MOST_CPUS; cpus *= 2) {
		cpu_set_t *mask = CPU_ALLOC(cpus);

		if (!mask)
			return NULL;
		*size = CPU_ALLOC_SIZE(cpus);
		if (sched_getaffinity(0, *size, mask) == 0)
			return mask;
		CPU_FREE(mask);
	}
	return NULL;
}

unsigned filch__cpu_count(void)
{
	size_t size;
	cpu_set_t *mask = read_mask(&size);
	int count = 1;

	if (mask) {
		count = CPU_COUNT_S(size, mask);
		CPU_FREE(mask);
	}
	return count > 0 ? (unsigned)count : 1;
}

static size_t nth_set(const cpu_set_t *mask, size_t size, unsigned nth)
{
	size_t cpu = 0;

	for (;; cpu++) {
		if (CPU_ISSET_S(cpu, size, mask) && nth-- == 0)
			return cpu;
	}
}

int filch__cpu_pin(unsigned nth)
{
	size_t size;
	cpu_set_t *mask = read_mask(&size);
	int status = -EINVAL;
	size_t cpu;

	if (!mask)
		return -EINVAL;
	if (CPU_COUNT_S(size, mask) > 0) {
		cpu = nth_set(mask, size, nth % (unsigned)CPU_COUNT_S(size, mask));
		CPU_ZERO_S(size, mask);
		CPU_SET_S(cpu, size, mask);
		status = sched_setaffinity(0, size, mask) == 0 ? 0 : -EINVAL;
	}
	CPU_FREE(mask);
	return status;
}

unsigned filch__cpu_auto(const char *root)
{
	unsigned count = filch__cpu_count();
	unsigned quota = filch__cpu_quota(root);

	return quota != 0 && quota < count ? quota : count;
}
