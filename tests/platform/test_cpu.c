/* Processor counts: affinity, and cgroup quotas on made-up file trees. */
#include "platform/cpu.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void begin(void)
{
	strcpy(root, "/tmp/filch-cpu-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status, (void)kind, (void)walk;
	return remove(path);
}

static void end(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *path, const char *text)
{
	char name[4096];
	FILE *file;

	snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(name, 0700);
		*slash = '/';
	}
	file = fopen(name, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

#define V2_MOUNT "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
#define V1_MOUNT "33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"

Test(cpu, count_is_that_of_the_mask)
{
	cpu_set_t mask;

	sched_getaffinity(0, sizeof(mask), &mask);
	cr_assert_eq(filch__cpu_count(), (unsigned)CPU_COUNT(&mask));
}

Test(cpu, pinned_thread_has_one_processor)
{
	cr_assert_eq(filch__cpu_pin(1), 0);
	cr_assert_eq(filch__cpu_count(), 1u);
	cr_assert_eq(filch__cpu_pin(7), 0);
	cr_assert_eq(filch__cpu_count(), 1u);
	cpu_relax();
}

Test(cpu, missing_files_mean_no_limit, .init = begin, .fini = end)
{
	cr_assert_eq(filch__cpu_quota(root), 0u);
	cr_assert_eq(filch__cpu_auto(root), filch__cpu_count());
}

Test(cpu, version2_own_quota, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "0::/app\n");
	put("/proc/self/mountinfo", V2_MOUNT);
	put("/sys/fs/cgroup/app/cpu.max", "250000 100000\n");
	cr_assert_eq(filch__cpu_quota(root), 2u);
}

Test(cpu, version2_smaller_ancestor_wins, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "0::/slice/pod/app\n");
	put("/proc/self/mountinfo", V2_MOUNT);
	put("/sys/fs/cgroup/slice/pod/app/cpu.max", "max 100000\n");
	put("/sys/fs/cgroup/slice/pod/cpu.max", "800000 100000\n");
	put("/sys/fs/cgroup/slice/cpu.max", "300000 100000\n");
	cr_assert_eq(filch__cpu_quota(root), 3u);
}

Test(cpu, version2_mount_point_itself_counts, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "0::/\n");
	put("/proc/self/mountinfo", V2_MOUNT);
	put("/sys/fs/cgroup/cpu.max", "150000 100000");
	cr_assert_eq(filch__cpu_quota(root), 1u);
}

Test(cpu, half_a_processor_is_one, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "0::/a\n");
	put("/proc/self/mountinfo", V2_MOUNT);
	put("/sys/fs/cgroup/a/cpu.max", "50000 100000\n");
	cr_assert_eq(filch__cpu_quota(root), 1u);
	cr_assert_eq(filch__cpu_auto(root), 1u);
}

Test(cpu, version1_nested, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/outer/inner\n");
	put("/proc/self/mountinfo",
	    "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" V1_MOUNT);
	put("/sys/fs/cgroup/cpu,cpuacct/outer/inner/cpu.cfs_quota_us", "-1\n");
	put("/sys/fs/cgroup/cpu,cpuacct/outer/inner/cpu.cfs_period_us", "100000\n");
	put("/sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_quota_us", "450000\n");
	put("/sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_period_us", "100000\n");
	cr_assert_eq(filch__cpu_quota(root), 4u);
}

Test(cpu, cpuset_is_not_cpu, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "4:cpuset:/x\n3:cpuacct:/x\n");
	put("/proc/self/mountinfo", "33 30 0:29 / /c rw - cgroup cgroup rw,cpuset\n");
	put("/c/x/cpu.cfs_quota_us", "100000\n");
	put("/c/x/cpu.cfs_period_us", "100000\n");
	cr_assert_eq(filch__cpu_quota(root), 0u);
}

Test(cpu, hybrid_takes_the_least_of_both, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "4:cpu,cpuacct:/a\n0::/b\n");
	put("/proc/self/mountinfo",
	    V1_MOUNT "34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
	put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "500000\n");
	put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
	cr_assert_eq(filch__cpu_quota(root), 5u);
	put("/sys/fs/cgroup/unified/b/cpu.max", "200000 100000\n");
	cr_assert_eq(filch__cpu_quota(root), 2u);
}

Test(cpu, container_sees_part_of_the_tree, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "0::/docker/abc/job\n");
	put("/proc/self/mountinfo", "30 20 0:26 /docker/abc /cg ro - cgroup2 cgroup rw\n");
	put("/cg/job/cpu.max", "600000 100000\n");
	put("/cg/cpu.max", "400000 100000\n");
	cr_assert_eq(filch__cpu_quota(root), 4u);
}

Test(cpu, prefix_of_a_name_is_not_an_ancestor, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "0::/docker/abcd\n");
	put("/proc/self/mountinfo", "30 20 0:26 /docker/abc /cg ro - cgroup2 cgroup rw\n"
				    "31 20 0:26 / /all ro - cgroup2 cgroup rw\n");
	put("/cg/cpu.max", "100000 100000\n");
	put("/all/docker/abcd/cpu.max", "700000 100000\n");
	cr_assert_eq(filch__cpu_quota(root), 7u);
}

Test(cpu, stranger_counts_when_nothing_else_is_mounted, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "0::/../..\n");
	put("/proc/self/mountinfo", V2_MOUNT);
	put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
	cr_assert_eq(filch__cpu_quota(root), 3u);
}

Test(cpu, blank_in_a_mount_point, .init = begin, .fini = end)
{
	put("/proc/self/cgroup", "0::/x\n");
	put("/proc/self/mountinfo", "30 20 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
	put("/my groups/x/cpu.max", "300000 100000\n");
	cr_assert_eq(filch__cpu_quota(root), 3u);
}

Test(cpu, malformed_files_are_no_limit, .init = begin, .fini = end)
{
	static const char *const texts[] = {
		"",	    "max",	"garbage",
		"100000",   "100000 0", "-5 100000",
		"0 100000", "1 -1",	"99999999999999999999999999 1"
	};

	put("/proc/self/cgroup", "no colon\n0:one\n::\n0::/x\n");
	put("/proc/self/mountinfo",
	    "\n - \n30\n30 20 0:26 - cgroup2\n" V2_MOUNT "30 20 0:26 / /y rw");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put("/sys/fs/cgroup/x/cpu.max", texts[i]);
		cr_assert_eq(filch__cpu_quota(root), 0u, "\"%s\"", texts[i]);
	}
}

Test(cpu, real_system_gives_at_least_one)
{
	cr_assert(filch__cpu_auto(NULL) >= 1);
	cr_assert(filch__cpu_auto("") <= filch__cpu_count());
}
