/* The smallest user of an installed filch; C11 and C++11 alike. */
#include <filch.h>

static int body(void *arg)
{
	*(int *)arg = 42;
	return 0;
}

int main(void)
{
	int answer = 0;
	int status = filch_run(body, &answer);

	return status == 0 && answer == 42 ? 0 : 1;
}
