/* A doubly linked list through its elements; a zeroed link is in no list. */
#ifndef FILCH_DATA_LIST_H
#define FILCH_DATA_LIST_H

#include "base/compiler.h"

#include <stdbool.h>

struct list {
	struct list *next;
	struct list *previous;
};

/* A zeroed head is an empty list too. */
static inline bool list_is_empty(const struct list *head)
{
	return !head->next || head->next == head;
}

static inline bool list_is_linked(const struct list *link)
{
	return link->next != NULL;
}

static inline void list_push_back(struct list *head, struct list *link)
{
	if (!head->next)
		head->next = head->previous = head;
	link->next = head;
	link->previous = head->previous;
	head->previous->next = link;
	head->previous = link;
}

static inline void list_remove(struct list *link)
{
	link->next->previous = link->previous;
	link->previous->next = link->next;
	link->next = link->previous = NULL;
}

/* NULL when empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *link = head->next;

	if (list_is_empty(head))
		return NULL;
	list_remove(link);
	return link;
}

#endif
