/* The published flags and trees of the Unbalanced Tree Search. */
#include "uts_tree.h"

#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct published {
	const char *name;
	enum uts_type type;
	enum uts_shape shape;
	long depth, children, seed;
	double branching, probability;
	struct uts_count count;
} trees[] = {
	{ "T1", UTS_GEOMETRIC, UTS_FIXED, 10, 4, 19, 4, 15.0 / 64, { 4130071, 3305118, 10 } },
	{ "T3", UTS_BINOMIAL, UTS_LINEAR, 6, 8, 42, 2000, 0.124875, { 4112897, 3599034, 1572 } },
	{ "T3L",
	  UTS_BINOMIAL,
	  UTS_LINEAR,
	  6,
	  5,
	  7,
	  2000,
	  0.200014,
	  { 111345631, 89076904, 17844 } },
};

#define TREES (sizeof(trees) / sizeof(trees[0]))

void uts_tree_init(struct uts_tree *tree)
{
	*tree = (struct uts_tree){ .type = UTS_GEOMETRIC,
				   .shape = UTS_LINEAR,
				   .depth = 6,
				   .branching = 4,
				   .probability = 15.0 / 64,
				   .children = 4,
				   .granularity = 1,
				   .shift = 0.5 };
}

static void set_published(struct uts_tree *tree, const struct published *from)
{
	tree->type = from->type;
	tree->shape = from->shape;
	tree->depth = from->depth;
	tree->children = from->children;
	tree->seed = from->seed;
	tree->branching = from->branching;
	tree->probability = from->probability;
}

static bool holds(const struct published *from, const struct uts_tree *tree)
{
	struct uts_tree same = *tree;

	set_published(&same, from);
	return same.type == tree->type && same.shape == tree->shape && same.depth == tree->depth &&
	       same.children == tree->children && same.seed == tree->seed &&
	       !(same.branching < tree->branching) && !(same.branching > tree->branching) &&
	       !(same.probability < tree->probability) && !(same.probability > tree->probability);
}

/* By its flags, however they were given. -g changes the work and not the tree. */
static void recognise(struct uts_tree *tree)
{
	tree->name = NULL;
	for (size_t i = 0; i < TREES; i++) {
		if (holds(&trees[i], tree)) {
			tree->name = trees[i].name;
			tree->published = trees[i].count;
		}
	}
}

static int set_by_name(struct uts_tree *tree, const char *name)
{
	for (size_t i = 0; i < TREES; i++) {
		if (strcmp(trees[i].name, name) == 0) {
			set_published(tree, &trees[i]);
			return 0;
		}
	}
	return -EINVAL;
}

static int set_long(long *field, const char *value, long least, long most)
{
	return bench_parse_integer(value, least, most, field) ? 0 : -EINVAL;
}

static int set_real(double *field, const char *value, double least, double most)
{
	return bench_parse_real(value, least, most, field) ? 0 : -EINVAL;
}

/* One letter, what it accepts. */
static const struct flag {
	char letter;
	const char *accepted;
} flags[] = {
	{ 't', "0 (binomial), 1 (geometric), 2 (hybrid) or 3 (balanced)" },
	{ 'a', "0 (linear), 1 (exponential), 2 (cyclic) or 3 (fixed)" },
	{ 'd', "1 to 1000000" },
	{ 'b', "0.001 to 1000000" },
	{ 'q', "0 to 1" },
	{ 'm', "0 to 100" },
	{ 'r', "0 to 2147483647" },
	{ 'g', "1 to 1000000" },
	{ 'f', "0 to 1" },
};

static int set_letter(struct uts_tree *tree, char letter, const char *value)
{
	long choice = 0;
	int status;

	switch (letter) {
	case 't':
		status = set_long(&choice, value, UTS_BINOMIAL, UTS_BALANCED);
		tree->type = status == 0 ? (enum uts_type)choice : tree->type;
		return status;
	case 'a':
		status = set_long(&choice, value, UTS_LINEAR, UTS_FIXED);
		tree->shape = status == 0 ? (enum uts_shape)choice : tree->shape;
		return status;
	case 'd':
		return set_long(&tree->depth, value, 1, 1000000);
	case 'b':
		return set_real(&tree->branching, value, 0.001, 1e6);
	case 'q':
		return set_real(&tree->probability, value, 0, 1);
	case 'm':
		return set_long(&tree->children, value, 0, 100);
	case 'r':
		return set_long(&tree->seed, value, 0, INT32_MAX);
	case 'g':
		return set_long(&tree->granularity, value, 1, 1000000);
	default:
		return set_real(&tree->shift, value, 0, 1);
	}
}

int uts_tree_set(struct uts_tree *tree, const char *flag, const char *value, const char **accepted)
{
	int status = -ENOENT;

	if (strcmp(flag, "--tree") == 0) {
		*accepted = "T1, T3 or T3L";
		status = set_by_name(tree, value);
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (flag[0] == '-' && flag[1] == flags[i].letter && flag[2] == '\0') {
			*accepted = flags[i].accepted;
			status = set_letter(tree, flags[i].letter, value);
		}
	}
	if (status == 0)
		recognise(tree);
	return status;
}

void uts_tree_label(const struct uts_tree *tree, char *text, size_t size)
{
	if (tree->name != NULL)
		snprintf(text, size, "%s", tree->name);
	else if (tree->type == UTS_BALANCED)
		snprintf(text, size, "-t 3 -d %ld -b %g", tree->depth, tree->branching);
	else if (tree->type == UTS_BINOMIAL)
		snprintf(text, size, "-t 0 -b %g -q %g -m %ld -r %ld", tree->branching,
			 tree->probability, tree->children, tree->seed);
	else if (tree->type == UTS_GEOMETRIC)
		snprintf(text, size, "-t 1 -a %d -d %ld -b %g -r %ld", (int)tree->shape,
			 tree->depth, tree->branching, tree->seed);
	else
		snprintf(text, size, "-t 2 -a %d -d %ld -b %g -q %g -m %ld -f %g -r %ld",
			 (int)tree->shape, tree->depth, tree->branching, tree->probability,
			 tree->children, tree->shift, tree->seed);
}
