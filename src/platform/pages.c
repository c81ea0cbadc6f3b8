/* mmap, madvise, mprotect. */
#include "platform/pages.h"

#include "base/atomic.h"
#include "platform/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL, newer than the headers */
#define DEFAULT_MAP_LIMIT 65530

/* Guards by mprotect in this process: what they use up belongs to the process, too. */
static struct filch_word64 protected_guards;

size_t filch__pages_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

void *filch__pages_map(size_t size)
{
	int saved = errno;
	void *lo = MAP_FAILED;

	if (!filch__fault_hit(FILCH__FAULT_MAP))
		lo = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (lo != MAP_FAILED)
		madvise(lo, size, MADV_NOHUGEPAGE); /* before 6.7 MAP_STACK did not imply it */
	errno = saved;
	return lo == MAP_FAILED ? NULL : lo;
}

void filch__pages_unmap(void *lo, size_t size)
{
	munmap(lo, size);
}

void filch__pages_discard(void *lo, size_t size)
{
	int saved = errno;

	madvise(lo, size, MADV_DONTNEED); /* fails on locked memory: then it stays */
	errno = saved;
}

int filch__pages_guard(void *lo, size_t size)
{
	int saved = errno;
	int status = 0;

	if (filch__fault_hit(FILCH__FAULT_GUARD))
		return -EINVAL;
	if (madvise(lo, size, GUARD_INSTALL) != 0)
		status = -errno;
	errno = saved;
	return status;
}

/* Asks the kernel to write there: -EFAULT where the program's own store would be a signal. */
static bool is_guarded(void *page)
{
	int saved = errno;
	bool refused = uname((struct utsname *)page) != 0 && errno == EFAULT;

	errno = saved;
	return refused;
}

/* Advice is advice: an emulator (qemu-user) answers 0 to what it does not know. */
bool filch__pages_can_guard(void)
{
	size_t size = filch__pages_size();
	void *page = filch__pages_map(size);
	bool can = page && filch__pages_guard(page, size) == 0 && is_guarded(page);

	if (page)
		filch__pages_unmap(page, size);
	return can;
}

size_t filch__pages_map_limit(void)
{
	char text[32];
	int saved = errno;
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	size_t limit = 0;

	if (fd >= 0)
		close(fd);
	if (length > 0) {
		text[length] = '\0';
		limit = strtoul(text, NULL, 10);
	}
	errno = saved;
	return limit ? limit : DEFAULT_MAP_LIMIT;
}

/* Each guard costs two mappings. The limit is read once in 1024 guards. */
static bool may_protect(size_t guards)
{
	static struct filch_word64 limit;
	/* relaxed: a number that hardly ever changes. */
	uint64_t known = word64_load_relaxed(&limit);

	if (known == 0 || guards % 1024 == 0) {
		known = filch__pages_map_limit();
		/* relaxed: as above. */
		word64_store_relaxed(&limit, known);
	}
	return guards * 2 < known / 2;
}

int filch__pages_protect(void *lo, size_t size)
{
	int saved = errno;
	int status = 0;

	/* relaxed: a count. */
	if (!may_protect(word64_add_relaxed(&protected_guards, 1)))
		status = -ENOMEM;
	else if (filch__fault_hit(FILCH__FAULT_PROTECT) || mprotect(lo, size, PROT_NONE) != 0)
		status = -ENOMEM;
	if (status < 0)
		filch__pages_unprotected(1);
	errno = saved;
	return status;
}

void filch__pages_unprotected(size_t n)
{
	/* relaxed: a count. */
	word64_sub_relaxed(&protected_guards, n);
}
