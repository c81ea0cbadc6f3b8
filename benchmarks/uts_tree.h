/* The trees of the Unbalanced Tree Search benchmark: which children a node has. */
#ifndef UTS_TREE_H
#define UTS_TREE_H

#include "sha1.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * After S. Olivier, J. Huan, J. Liu, J. Prins, J. Dinan, P. Sadayappan, C.-W. Tseng: "UTS: An
 * Unbalanced Tree Search Benchmark" (LCPC 2006). A node is the state of a splittable random
 * stream: child i's is SHA-1(parent's || i), and its last 31 bits say how many children it has.
 */
enum uts_type { UTS_BINOMIAL, UTS_GEOMETRIC, UTS_HYBRID, UTS_BALANCED };
enum uts_shape { UTS_LINEAR, UTS_EXPONENTIAL, UTS_CYCLIC, UTS_FIXED };

#define UTS_SLOPES 128
/* No tree worth counting is deeper; the serial twin recurses to it on one stack. */
#define UTS_HEIGHT_MAX 1000000u

struct uts_count {
	uint64_t nodes;
	uint64_t leaves;
	uint32_t depth; /* the greatest height below and including the node */
};

struct uts_tree {
	enum uts_type type;	    /* -t */
	enum uts_shape shape;	    /* -a */
	long depth;		    /* -d, gen_mx of the paper */
	double branching;	    /* -b, b_0: of the root, or expected at the root */
	double probability;	    /* -q: of a binomial node to have children */
	long children;		    /* -m: how many it has then */
	long seed;		    /* -r */
	long granularity;	    /* -g: how often a child's state is computed */
	double shift;		    /* -f: where a hybrid tree changes its type, as a part of -d */
	const char *name;	    /* of the published tree that this is, or NULL */
	struct uts_count published; /* of that tree */
	sha1_fn *sha1;
	double slopes[UTS_SLOPES]; /* log(1 - p) by height */
};

/* Both in 24 bytes, so that a stack holds many: a node's state is of no use once its children have
 * theirs, and its count is known only after them. */
struct uts_node {
	union {
		struct {
			uint32_t state[SHA1_WORDS];
			uint32_t height;
		};
		struct uts_count count;
	};
};

/* The flags' published defaults. */
void uts_tree_init(struct uts_tree *tree);
/* `flag` is "-t" ... or "--tree". 0, -ENOENT, -EINVAL (`accepted`: what is). */
int uts_tree_set(struct uts_tree *tree, const char *flag, const char *value, const char **accepted);
/* After the last flag. */
void uts_tree_prepare(struct uts_tree *tree, sha1_fn *sha1);
/* The flags in words, or the published name. */
void uts_tree_label(const struct uts_tree *tree, char *text, size_t size);

void uts_tree_root(const struct uts_tree *tree, struct uts_node *root);
long uts_tree_children(const struct uts_tree *tree, const struct uts_node *node);
void uts_tree_child(const struct uts_tree *tree, const struct uts_node *node, long index,
		    struct uts_node *child);

#endif
