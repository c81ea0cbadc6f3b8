/* The four tree types and four shapes of the Unbalanced Tree Search. */
#include "uts_tree.h"

#include <math.h>

#define CHILDREN_MAX 100 /* but for a binomial root and a balanced tree */
#define CYCLES 5	 /* a cyclic tree ends after so many */
#define PI 3.141592653589793

/* In [0, 1) */
static double probability(const struct uts_node *node)
{
	return (double)(node->state[4] & 0x7FFFFFFFu) / 2147483648.0;
}

/* How many children a node of a geometric tree has at this height, on average. */
static double expected(const struct uts_tree *tree, uint32_t height)
{
	double at = (double)height, limit = (double)tree->depth, first = tree->branching;

	if (height == 0)
		return first;
	switch (tree->shape) {
	case UTS_EXPONENTIAL:
		return first * pow(at, -log(first) / log(limit));
	case UTS_CYCLIC:
		return at > CYCLES * limit ? 0 : pow(first, sin(2 * PI * at / limit));
	case UTS_FIXED:
		return at < limit ? first : 0;
	default:
		return first * (1 - at / limit);
	}
}

/* log(1 - p) of the geometric distribution with the expected mean; -inf where there are none. */
static double slope(const struct uts_tree *tree, uint32_t height)
{
	double p = 1.0 / (1.0 + expected(tree, height));

	return log(1 - p);
}

static long geometric(const struct uts_tree *tree, const struct uts_node *node)
{
	double below =
		node->height < UTS_SLOPES ? tree->slopes[node->height] : slope(tree, node->height);

	/* The quotient is not a number when a mean so small that p rounds to 1 meets u = 0. */
	return isinf(below) ? 0 : (long)floor(log(1 - probability(node)) / below);
}

static long binomial(const struct uts_tree *tree, const struct uts_node *node)
{
	return probability(node) < tree->probability ? tree->children : 0;
}

static long capped(long children)
{
	return children < CHILDREN_MAX ? children : CHILDREN_MAX;
}

long uts_tree_children(const struct uts_tree *tree, const struct uts_node *node)
{
	double limit = (double)tree->depth;

	switch (tree->type) {
	case UTS_BINOMIAL:
		return node->height == 0 ? (long)tree->branching : capped(binomial(tree, node));
	case UTS_GEOMETRIC:
		return capped(geometric(tree, node));
	case UTS_HYBRID:
		return capped(node->height < tree->shift * limit ? geometric(tree, node)
								 : binomial(tree, node));
	default:
		return node->height < limit ? (long)tree->branching : 0;
	}
}

void uts_tree_prepare(struct uts_tree *tree, sha1_fn *sha1)
{
	tree->sha1 = sha1;
	for (uint32_t height = 0; height < UTS_SLOPES; height++)
		tree->slopes[height] = slope(tree, height);
}

void uts_tree_root(const struct uts_tree *tree, struct uts_node *root)
{
	sha1_root((uint32_t)tree->seed, root->state);
	root->height = 0;
}

void uts_tree_child(const struct uts_tree *tree, const struct uts_node *node, long index,
		    struct uts_node *child)
{
	for (long i = 0; i < tree->granularity; i++)
		tree->sha1(node->state, (uint32_t)index, child->state);
	child->height = node->height + 1;
}
