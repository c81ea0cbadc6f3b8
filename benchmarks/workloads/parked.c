/* parked: what a task costs that waits, in memory and in time. */
#include "../bench.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BATCH 256
#define TWIN_SHARE 100 /* so many times fewer threads */
#define TWIN_STACK 16384

static long chosen; /* --tasks; 0: the size */

struct crowd {
	struct trial *trial;
	long count;
	struct filch_event event;
	long before; /* bytes, before the runtime was there */
	double warm, warm_wake;
};

/* Resident memory and page tables of this process, in bytes; -1 when /proc does not tell. */
static long memory_in_use(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	long total = 0, value;
	int found = 0;
	char line[128];

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmRSS: %ld kB", &value) != 1 &&
		    sscanf(line, "VmPTE: %ld kB", &value) != 1)
			continue;
		total += value * 1024;
		found++;
	}
	fclose(file);
	return found == 2 ? total : -1;
}

static void note_memory(struct trial *trial, long before, long count)
{
	long now = memory_in_use();

	if (before < 0 || now < 0)
		trial->status = -ENOSYS;
	else
		trial->values[0] = (double)(now - before) / (double)count;
}

static int park(void *arg)
{
	return filch_event_wait(arg);
}

static void await_parked(struct crowd *crowd)
{
	struct filch_event_statistics statistics;

	do {
		filch_yield();
		filch_event_get_statistics(&crowd->event, &statistics);
	} while (statistics.waiting < crowd->count);
}

/* All come and wait, then all are woken. Milliseconds until they wait, and until they have ended.
 */
static int come_and_go(struct crowd *crowd, double *waiting, double *ended, bool look)
{
	struct filch_group group;
	double start = bench_now();
	int status = filch_group_open(&group, NULL), closed;

	if (status < 0)
		return status;
	for (long i = 0; status == 0 && i < crowd->count; i++) {
		status = filch_group_spawn(&group, park, &crowd->event);
		if (i % BATCH == 0)
			filch_yield(); /* those who have come so far go to wait */
	}
	if (status == 0)
		await_parked(crowd);
	*waiting = (bench_now() - start) / 1e6;
	if (look)
		note_memory(crowd->trial, crowd->before, crowd->count);
	start = bench_now();
	filch_event_set(&crowd->event);
	closed = filch_group_close(&group);
	*ended = (bench_now() - start) / 1e6;
	filch_event_clear(&crowd->event);
	return status < 0 ? status : closed;
}

/* The second time the stacks are there. */
static int gather(void *arg)
{
	struct crowd *crowd = arg;
	double *values = crowd->trial->values;
	int status = come_and_go(crowd, &values[1], &values[2], true);

	return status < 0 ? status : come_and_go(crowd, &crowd->warm, &crowd->warm_wake, false);
}

static const char *name_of(enum filch_guard guard)
{
	static const char *const names[] = { "auto", "install", "protect", "canary" };

	return (size_t)guard < sizeof(names) / sizeof(names[0]) ? names[guard] : "?";
}

static int gather_and_tell(void *arg)
{
	struct crowd *crowd = arg;
	struct filch_runtime_stats stats;
	int status = gather(arg);

	filch_runtime_stats(filch_runtime_current(), &stats);
	bench_add_number(crowd->trial, "warm_ms", crowd->warm);
	bench_add_number(crowd->trial, "warm_wake_ms", crowd->warm_wake);
	bench_add_text(crowd->trial, "guard", name_of(stats.guard));
	return status;
}

/* In a runtime of its own, whose stacks nobody has touched. */
static void run(struct trial *trial)
{
	struct filch_runtime_stats stats = { .workers = 0 };
	struct filch_options options = { .size = sizeof(options) };
	struct crowd crowd = { .trial = trial, .before = memory_in_use() };

	crowd.count = chosen > 0 ? chosen : trial->size;
	snprintf(trial->label, sizeof(trial->label), "%ld", crowd.count);
	filch_runtime_stats(trial->runtime, &stats);
	options.workers = stats.workers;
	trial->status = filch_run_with(&options, gather_and_tell, &crowd);
	trial->verified = trial->status == 0 && trial->values[0] > 0;
}

/* ---- The twin: threads, and a condition variable; without what the kernel keeps for them ---- */

struct hall {
	pthread_mutex_t lock;
	pthread_cond_t go;
	long here;
	bool open;
	char *stacks; /* given back at the end, unlike those of the C library */
};

static void *stand(void *arg)
{
	struct hall *hall = arg;

	pthread_mutex_lock(&hall->lock);
	hall->here++;
	while (!hall->open)
		pthread_cond_wait(&hall->go, &hall->lock);
	pthread_mutex_unlock(&hall->lock);
	return NULL;
}

/* How many there are. */
static long start_threads(struct trial *trial, struct hall *hall, pthread_t *threads, long count)
{
	pthread_attr_t attributes;
	long started = 0;
	int error = pthread_attr_init(&attributes);

	if (error == 0)
		error = pthread_attr_setguardsize(&attributes, 0);
	while (error == 0 && started < count) {
		error = pthread_attr_setstack(&attributes, hall->stacks + started * TWIN_STACK,
					      TWIN_STACK);
		if (error == 0)
			error = pthread_create(&threads[started], &attributes, stand, hall);
		started += error == 0;
	}
	trial->status = -error;
	return started;
}

static char *map_stacks(size_t size)
{
	void *stacks = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return stacks == MAP_FAILED ? NULL : stacks;
}

static void crowd_threads(struct trial *trial, struct hall *hall, pthread_t *threads, long count)
{
	long before = memory_in_use(), share = TWIN_SHARE, started;
	double start = bench_now();

	started = start_threads(trial, hall, threads, count);
	pthread_mutex_lock(&hall->lock);
	while (hall->here < started) {
		pthread_mutex_unlock(&hall->lock);
		sched_yield();
		pthread_mutex_lock(&hall->lock);
	}
	trial->values[1] = (bench_now() - start) / 1e6 * (double)share;
	note_memory(trial, before, count);
	start = bench_now();
	hall->open = true;
	pthread_mutex_unlock(&hall->lock);
	pthread_cond_broadcast(&hall->go);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	trial->values[2] = (bench_now() - start) / 1e6 * (double)share;
}

/* Times as if there were as many threads as tasks. */
static void run_twin(struct trial *trial)
{
	struct hall hall = { .here = 0 };
	long count = (chosen > 0 ? chosen : trial->size) / TWIN_SHARE + 1;
	pthread_t *threads = calloc((size_t)count, sizeof(*threads));

	pthread_mutex_init(&hall.lock, NULL);
	pthread_cond_init(&hall.go, NULL);
	hall.stacks = map_stacks((size_t)count * TWIN_STACK);
	if (threads && hall.stacks)
		crowd_threads(trial, &hall, threads, count);
	else
		trial->status = -ENOMEM;
	trial->verified = trial->status == 0;
	free(threads);
	if (hall.stacks)
		munmap(hall.stacks, (size_t)count * TWIN_STACK);
	pthread_cond_destroy(&hall.go);
	pthread_mutex_destroy(&hall.lock);
}

static int set_option(const char *name, const char *value, const char **accepted)
{
	if (strcmp(name, "--tasks") != 0)
		return -ENOENT;
	*accepted = "1 to 4000000";
	return bench_parse_integer(value, 1, 4000000, &chosen) ? 0 : -EINVAL;
}

const struct workload bench_parked = {
	.name = "parked",
	.question = "what does a task cost that waits, in memory and in time?",
	.twin = "threads on 16 KiB stacks, condition variable",
	.size_is = "tasks that wait for one event",
	.size = 100000,
	.least = 1,
	.most = 4000000,
	.foreign = true,
	.metrics = { { "memory", "B", false }, { "cold", "ms", false }, { "wake", "ms", false } },
	.run = run,
	.run_twin = run_twin,
	.set_option = set_option,
	.help = "  --tasks N  as --size\n",
};
