/* The signal handler, its stack, and the list of pools it knows. */
#include "memory/overflow.h"

#include "base/world.h"
#include "platform/pages.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define ROOM_FOR_HANDLER ((size_t)32 << 10) /* beside what the kernel writes: vector registers */

/*
 * Global because signal handlers are. `watches` and `installed` change under `mutex`;
 * handlers walk the list without it, counted in `walkers`, which unwatch waits for.
 *
 *	handler:  walkers++, load the list
 *	unwatch:  store the list, read walkers          (all seq_cst)
 *
 * either the handler sees the list without the watch or unwatch sees the walker.
 */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct filch_pointer watches;
static struct filch_word32 walkers;
static bool installed;
static struct sigaction previous_segv, previous_bus;

/* ---- the line ---- */

struct line {
	char text[256];
	size_t length;
};

static void put_text(struct line *line, const char *text)
{
	while (*text && line->length < sizeof(line->text) - 1)
		line->text[line->length++] = *text++;
}

static void put_number(struct line *line, uint64_t value, unsigned base)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	put_text(line, digits + at);
}

void filch__overflow_report(const struct stack *stack, const char *name)
{
	struct line line = { .length = 0 };
	ssize_t written;

	put_text(&line, "filch: stack overflow in task '");
	put_text(&line, name ? name : "?");
	if (line.length > 180)
		line.length = 180; /* a long name leaves room for the rest */
	put_text(&line, "' (stack of ");
	put_number(&line, stack->size, 10);
	put_text(&line, " bytes at 0x");
	put_number(&line, (uintptr_t)stack->lo, 16);
	put_text(&line, ")");
	line.text[line.length++] = '\n';
	written = write(STDERR_FILENO, line.text, line.length);
	(void)written;
}

/* ---- the handler ---- */

static void report(const void *address)
{
	struct overflow_watch *watch;

	/* seq_cst: before the loads of the list, see above. */
	word32_add_seq_cst(&walkers, 1);
	/* seq_cst: as above; also acquires the watch that filch__overflow_watch stored. */
	for (watch = pointer_load_seq_cst(&watches); watch;
	     /* seq_cst: as above, for a watch taken out of the middle. */
	     watch = pointer_load_seq_cst(&watch->next)) {
		bool in_guard = false;
		struct stack *stack = filch__stack_find(watch->pool, address, &in_guard);

		if (!stack)
			continue;
		if (in_guard)
			filch__overflow_report(stack, watch->name ? watch->name(stack) : NULL);
		break;
	}
	/* release: pairs with the load in filch__overflow_unwatch. */
	word32_sub_release(&walkers, 1);
}

/* As if ours had not been there. */
static void hand_on(int signal, siginfo_t *info, void *context, const struct sigaction *previous)
{
	bool is_fault = info->si_code > 0; /* the instruction will fault again */
	struct sigaction standard;

	if (previous->sa_flags & SA_SIGINFO) {
		previous->sa_sigaction(signal, info, context);
		return;
	}
	if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
		previous->sa_handler(signal);
		return;
	}
	if (previous->sa_handler == SIG_IGN && !is_fault)
		return;
	memset(&standard, 0, sizeof(standard));
	standard.sa_handler = SIG_DFL;
	sigaction(signal, &standard, NULL);
	if (!is_fault)
		raise(signal); /* delivered when this handler returns */
}

static void handle(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	/* Sent by somebody with kill: there is no address. */
	if (info->si_code > 0)
		report(info->si_addr);
	errno = saved;
	hand_on(signal, info, context, signal == SIGBUS ? &previous_bus : &previous_segv);
}

static void install(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handle;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigemptyset(&action.sa_mask);
	/* What was there is read first: the handler may be needed at once. */
	sigaction(SIGSEGV, NULL, &previous_segv);
	sigaction(SIGBUS, NULL, &previous_bus);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	installed = true;
}

static bool is_ours(int signal)
{
	struct sigaction now;

	return sigaction(signal, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
	       now.sa_sigaction == handle;
}

/* Where somebody came after us and may hand on to us, ours stays, doing nothing but that. */
static void uninstall(void)
{
	if (!is_ours(SIGSEGV) || !is_ours(SIGBUS))
		return;
	sigaction(SIGSEGV, &previous_segv, NULL);
	sigaction(SIGBUS, &previous_bus, NULL);
	installed = false;
}

/* ---- the list ---- */

int filch__overflow_watch(struct overflow_watch *watch)
{
	if (!watch || !watch->pool)
		return -EINVAL;
	world_mask(1);
	pthread_mutex_lock(&mutex);
	/* relaxed: under the mutex; the store below publishes. */
	pointer_store_relaxed(&watch->next, pointer_load_relaxed(&watches));
	/* seq_cst: releases the watch; pairs with the load in report. */
	pointer_store_seq_cst(&watches, watch);
	if (!installed)
		install();
	pthread_mutex_unlock(&mutex);
	world_mask(-1);
	return 0;
}

void filch__overflow_unwatch(struct overflow_watch *watch)
{
	struct filch_pointer *link = &watches;
	struct overflow_watch *at;

	if (!watch)
		return;
	world_mask(1);
	pthread_mutex_lock(&mutex);
	/* relaxed: changes under the mutex only. */
	while ((at = pointer_load_relaxed(link)) && at != watch)
		link = &at->next;
	if (at) {
		/* relaxed: as above. */
		void *next = pointer_load_relaxed(&watch->next);

		/* seq_cst: before the look at walkers, see above. */
		pointer_store_seq_cst(link, next);
		/* relaxed: under the mutex. */
		if (!pointer_load_relaxed(&watches))
			uninstall();
	}
	pthread_mutex_unlock(&mutex);
	world_mask(-1);
	/* seq_cst: see above; acquire half pairs with the release in report. */
	while (at && word32_load_seq_cst(&walkers) != 0)
		sched_yield();
}

/* ---- the signal stack ---- */

/* The same in every thread, so the address says all. */
static size_t signal_stack_size(void)
{
	long least = sysconf(_SC_MINSIGSTKSZ);
	size_t page = filch__pages_size();
	size_t size = ROOM_FOR_HANDLER + (least > 0 ? (size_t)least : 0);

	return (size + page - 1) & ~(page - 1);
}

struct overflow_stack *filch__overflow_enter_thread(void)
{
	stack_t now;

	if (sigaltstack(NULL, &now) != 0 || !(now.ss_flags & SS_DISABLE))
		return NULL;
	now = (stack_t){ .ss_size = signal_stack_size() };
	now.ss_sp = filch__pages_map(now.ss_size);
	if (!now.ss_sp)
		return NULL;
	if (sigaltstack(&now, NULL) != 0) {
		filch__pages_unmap(now.ss_sp, now.ss_size);
		return NULL;
	}
	return (struct overflow_stack *)now.ss_sp;
}

void filch__overflow_leave_thread(struct overflow_stack *stack)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	if (!stack)
		return;
	sigaltstack(&none, NULL);
	filch__pages_unmap(stack, signal_stack_size());
}
