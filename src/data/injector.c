/* The one file that knows liburcu's wait-free queue. */
#include "data/injector.h"

#include "base/compiler.h"
#include "platform/cpu.h"
#include "platform/sanitizer.h"

#include <errno.h>
#include <stdlib.h>
#include <urcu/wfcqueue.h>

struct queue {
	FILCH_ALIGN_SHARED struct __cds_wfcq_head head;
	FILCH_ALIGN_SHARED struct cds_wfcq_tail tail;
};

_Static_assert(sizeof(struct cds_wfcq_node) <= sizeof(void *),
	       "struct injected has room for a node");

int filch__injector_init(struct injector *injector)
{
	struct queue *queue = aligned_alloc(128, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	__cds_wfcq_init(&queue->head, &queue->tail);
	injector->queue = queue;
	return 0;
}

void filch__injector_fini(struct injector *injector)
{
	free(injector->queue);
	injector->queue = NULL;
}

void filch__injector_push(struct injector *injector, struct injected *entry)
{
	struct queue *queue = injector->queue;
	struct cds_wfcq_node *node = (struct cds_wfcq_node *)(void *)entry->link;

	/* liburcu's own atomics are opaque to ThreadSanitizer; pairs with pop. */
	sanitize_release(queue);
	cds_wfcq_node_init(node);
	cds_wfcq_enqueue(__cds_wfcq_head_cast(&queue->head), &queue->tail, node);
	/* seq_cst: before the producer's look at the sleepers (model_idle). */
	word64_add_seq_cst(&injector->length, 1);
}

struct injected *filch__injector_pop(struct injector *injector)
{
	struct queue *queue = injector->queue;
	struct cds_wfcq_node *node = NULL;

	/* relaxed: a hint; an idle worker looks again with seq_cst before it sleeps. */
	if (word64_load_relaxed(&injector->length) == 0)
		return NULL;
	if (spin_try_acquire(&injector->consumer)) {
		node = __cds_wfcq_dequeue_nonblocking(__cds_wfcq_head_cast(&queue->head),
						      &queue->tail);
		spin_release(&injector->consumer);
	}
	if (!node || node == CDS_WFCQ_WOULDBLOCK) {
		cpu_relax(); /* somebody is at it, and we come again at once */
		return NULL;
	}
	sanitize_acquire(queue);
	/* relaxed: a count; who sleeps reads it with seq_cst after its own announcement. */
	word64_sub_relaxed(&injector->length, 1);
	return container_of(node, struct injected, link);
}
