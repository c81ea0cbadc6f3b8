/* Pages, guards, clocks and the asymmetric barrier. */
#include "platform/pages.h"

#include "platform/barrier.h"
#include "platform/clock.h"
#include "platform/fault.h"
#include "platform/sanitizer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does writing there end the process (by signal, or by a sanitizer's exit)? */
static bool write_kills(volatile char *at)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		close(STDERR_FILENO);
		*at = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

Test(pages, discarded_pages_read_as_zero)
{
	size_t page = filch__pages_size();
	char *lo = filch__pages_map(4 * page);

	cr_assert_not_null(lo);
	memset(lo, 1, 4 * page);
	filch__pages_discard(lo + page, page);
	cr_assert_eq(lo[0], 1);
	cr_assert_eq(lo[page], 0);
	cr_assert_eq(lo[2 * page], 1);
	filch__pages_unmap(lo, 4 * page);
}

Test(pages, protected_page_kills)
{
	size_t page = filch__pages_size();
	char *lo = filch__pages_map(3 * page);

	cr_assert_eq(filch__pages_protect(lo + page, page), 0);
	cr_assert(write_kills(lo + page));
	cr_assert(!write_kills(lo));
	cr_assert(!write_kills(lo + 2 * page));
	filch__pages_unmap(lo, 3 * page);
	filch__pages_unprotected(1);
}

Test(pages, guarded_page_kills_where_the_kernel_can)
{
	size_t page = filch__pages_size();
	char *lo = filch__pages_map(3 * page);

	if (!filch__pages_can_guard())
		cr_skip_test("no MADV_GUARD_INSTALL");
	cr_assert_eq(filch__pages_guard(lo + page, page), 0);
	filch__pages_discard(lo, 3 * page);
	cr_assert(write_kills(lo + page));
	cr_assert(!write_kills(lo));
	filch__pages_unmap(lo, 3 * page);
}

/* From now on madvise answers 0 to MADV_GUARD_INSTALL and does nothing. False: cannot be arranged. */
static bool pretend_to_guard(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 102, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

Test(pages, a_guard_that_only_pretends_is_seen_through)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		if (!pretend_to_guard())
			_exit(2);
		_exit(filch__pages_can_guard() ? 1 : 0);
	}
	waitpid(child, &status, 0);
	cr_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		cr_skip_test("no seccomp filters");
	cr_assert_eq(WEXITSTATUS(status), 0);
}

Test(pages, probe_can_be_made_to_fail)
{
	filch__fault_set(FILCH__FAULT_GUARD, 1, UINT32_MAX);
	cr_assert(!filch__pages_can_guard());
	filch__fault_clear();
	filch__fault_set(FILCH__FAULT_MAP, 1, 1);
	cr_assert_null(filch__pages_map(4096));
	filch__fault_clear();
}

Test(pages, protection_stops_at_half_of_the_limit)
{
	size_t page = filch__pages_size();
	size_t most = filch__pages_map_limit() / 4 + 10;
	char *lo;
	size_t done = 0;

	if (most > 100000 || sanitize_is_valgrind())
		cr_skip_test("the limit is very high here, or valgrind's own is lower");
	lo = filch__pages_map(2 * most * page);
	cr_assert_not_null(lo);
	while (done < most && filch__pages_protect(lo + 2 * done * page, page) == 0)
		done++;
	cr_assert_lt(done, most);
	cr_assert_gt(done, most - 20);
	filch__pages_unprotected(100);
	cr_assert_eq(filch__pages_protect(lo + 2 * done * page, page), 0);
	filch__pages_unmap(lo, 2 * most * page);
}

Test(clock, rises)
{
	int64_t before = filch__clock_now();
	uint64_t ticks = filch__clock_ticks();

	while (filch__clock_now() < before + 100000)
		;
	cr_assert_neq(filch__clock_ticks(), ticks);
}

Test(barrier, registers_and_can_be_refused)
{
	bool available = filch__barrier_register();

	cr_assert_eq(filch__barrier_register(), available);
	barrier_light();
	errno = 44;
	filch__barrier_heavy();
	cr_assert_eq(errno, 44);
	filch__fault_set(FILCH__FAULT_BARRIER, 1, UINT32_MAX);
	cr_assert(!filch__barrier_register());
	filch__fault_clear();
}
