/* The end of a process that was misused or has lost an invariant. */
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void filch__panic(const char *file, int line, const char *text)
{
	char message[512];
	int length = snprintf(message, sizeof(message), "filch: %s:%d: %s\n", file, line, text);

	if (length > 0) {
		size_t size =
			(size_t)length < sizeof(message) ? (size_t)length : sizeof(message) - 1;
		ssize_t written = write(STDERR_FILENO, message, size);
		(void)written;
	}
	abort();
}
