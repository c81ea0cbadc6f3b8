/* Sleeping on a word. */
#include "platform/futex.h"

#include "base/atomic.h"
#include "platform/clock.h"
#include "platform/thread.h"

#include <criterion/criterion.h>
#include <errno.h>

Test(futex, changed_word_does_not_sleep)
{
	struct filch_word32 word = { 5 };

	cr_assert_eq(filch__futex_wait(&word, 4, INT64_MAX), 0);
}

Test(futex, deadline_ends_the_sleep)
{
	struct filch_word32 word = { 5 };
	int64_t deadline = filch__clock_now() + 5000000;

	errno = 77;
	cr_assert_eq(filch__futex_wait(&word, 5, deadline), -ETIMEDOUT);
	cr_assert(filch__clock_now() >= deadline);
	cr_assert_eq(filch__futex_wait(&word, 5, 0), -ETIMEDOUT);
	cr_assert_eq(filch__futex_wait(&word, 5, -3), -ETIMEDOUT);
	cr_assert_eq(errno, 77);
}

static void release_word(void *arg)
{
	struct filch_word32 *word = arg;

	/* release: pairs with the acquire in the test. */
	word32_store_release(word, 1);
	filch__futex_wake(word, 1);
}

Test(futex, sleeper_is_woken, .timeout = 20)
{
	struct filch_word32 word = { 0 };
	struct thread *thread;

	cr_assert_eq(filch__thread_create(&thread, NULL, release_word, &word), 0);
	/* acquire: pairs with the release above. */
	while (word32_load_acquire(&word) == 0)
		cr_assert_eq(filch__futex_wait(&word, 0, INT64_MAX), 0);
	filch__thread_join(thread);
}
