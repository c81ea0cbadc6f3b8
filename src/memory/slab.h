/* Where stacks come from, and what is written on them: for the stack pool only. */
#ifndef FILCH_MEMORY_SLAB_H
#define FILCH_MEMORY_SLAB_H

#include "memory/stack.h"

/* Cuts up to n new stacks of a class, mapping a slab when need be; how many it got. */
uint32_t filch__slab_cut(struct stack_pool *pool, enum filch_stack_class stack_class, uint32_t n,
			 struct stack_list *list);
/* Ends every stack and unmaps every slab of a class. */
void filch__slab_unmap(struct stack_pool *pool, enum filch_stack_class stack_class);

/* Writes the depth mark, and the canary where that is the guard. */
void filch__slab_mark(const struct stack_pool *pool, struct stack *stack);
/* Gives pages back if it was used deeply; with `all`, every page it has. */
void filch__slab_trim(const struct stack_pool *pool, struct stack *stack, bool all);

#endif
