/* uts: an unbalanced tree that nobody can divide in advance, one task per node. */
#include "../bench.h"

#include "../uts_tree.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Children of a node that lie in its frame; more go to the heap, so that frames stay small. */
#define CHILDREN_IN_FRAME 8
/* The serial twin has but one stack. Address space: what it does not touch costs nothing. */
#define TWIN_STACK ((size_t)1 << 30)

/* Written before the first task of a trial, read by all. */
static struct uts_tree tree;
static struct uts_count twin_count;
static bool is_set;
/* By `--sha1`; SHA1_VARIANTS: the fastest. */
static enum sha1_variant wanted = SHA1_VARIANTS, used;
static double costs[SHA1_VARIANTS];

/* ---- The search: a task per node, and the same with calls ---- */

static void add_up(struct uts_node *node, const struct uts_node *children, long count)
{
	struct uts_count sum = { .nodes = 1 };

	for (long i = 0; i < count; i++) {
		sum.nodes += children[i].count.nodes;
		sum.leaves += children[i].count.leaves;
		if (sum.depth < children[i].count.depth)
			sum.depth = children[i].count.depth;
	}
	node->count = sum;
}

static void count_leaf(struct uts_node *node)
{
	node->count = (struct uts_count){ .nodes = 1, .leaves = 1, .depth = node->height };
}

static int visit(void *arg);

static int spread(struct uts_node *node, struct uts_node *children, long count)
{
	struct filch_group group;
	int status = filch_group_open(&group, NULL), closed;

	for (long i = 0; status == 0 && i < count; i++) {
		uts_tree_child(&tree, node, i, &children[i]);
		status = filch_group_spawn(&group, visit, &children[i]);
	}
	closed = filch_group_close(&group);
	status = status < 0 ? status : closed;
	if (status == 0)
		add_up(node, children, count);
	return status;
}

static int spread_on_heap(struct uts_node *node, long count)
{
	struct uts_node *children = malloc((size_t)count * sizeof(*children));
	int status = children == NULL ? -ENOMEM : spread(node, children, count);

	free(children);
	return status;
}

static int visit(void *arg)
{
	struct uts_node *node = arg, children[CHILDREN_IN_FRAME];
	long count = uts_tree_children(&tree, node);

	if (count == 0) {
		count_leaf(node);
		return 0;
	}
	if (node->height >= UTS_HEIGHT_MAX)
		return -EOVERFLOW;
	return count > CHILDREN_IN_FRAME ? spread_on_heap(node, count)
					 : spread(node, children, count);
}

static int visit_serially(void *arg);

static int spread_serially(struct uts_node *node, struct uts_node *children, long count)
{
	int status = 0;

	for (long i = 0; status == 0 && i < count; i++) {
		uts_tree_child(&tree, node, i, &children[i]);
		status = visit_serially(&children[i]);
	}
	if (status == 0)
		add_up(node, children, count);
	return status;
}

static int spread_serially_on_heap(struct uts_node *node, long count)
{
	struct uts_node *children = malloc((size_t)count * sizeof(*children));
	int status = children == NULL ? -ENOMEM : spread_serially(node, children, count);

	free(children);
	return status;
}

BENCH_OPAQUE static int visit_serially(void *arg)
{
	struct uts_node *node = arg, children[CHILDREN_IN_FRAME];
	long count = uts_tree_children(&tree, node);

	if (count == 0) {
		count_leaf(node);
		return 0;
	}
	if (node->height >= UTS_HEIGHT_MAX)
		return -EOVERFLOW;
	return count > CHILDREN_IN_FRAME ? spread_serially_on_heap(node, count)
					 : spread_serially(node, children, count);
}

/* ---- Trials ---- */

static void prepare(void)
{
	const char *accepted;

	if (!is_set) {
		uts_tree_init(&tree);
		uts_tree_set(&tree, "--tree", "T1", &accepted);
		is_set = true;
	}
	if (tree.sha1 != NULL)
		return;
	for (int variant = 0; variant < SHA1_VARIANTS; variant++)
		costs[variant] = sha1_cost((enum sha1_variant)variant);
	used = wanted == SHA1_VARIANTS ? sha1_fastest() : wanted;
	uts_tree_prepare(&tree, sha1_function(used));
}

static bool equal(struct uts_count a, struct uts_count b)
{
	return a.nodes == b.nodes && a.leaves == b.leaves && a.depth == b.depth;
}

static struct uts_count measure(struct trial *trial, int (*search)(void *root))
{
	struct uts_node root;
	double start = bench_now();

	uts_tree_root(&tree, &root);
	trial->status = search(&root);
	if (trial->status < 0)
		return (struct uts_count){ .nodes = 0 };
	trial->values[0] = (double)root.count.nodes * 1e9 / (bench_now() - start);
	trial->verified = tree.name == NULL || equal(root.count, tree.published);
	return root.count;
}

/* A twin has run before: every tree is checked against it, the published ones also by their counts.
 */
static void run(struct trial *trial)
{
	struct uts_count count = measure(trial, visit);

	trial->verified = trial->verified && equal(count, twin_count);
	uts_tree_label(&tree, trial->label, sizeof(trial->label));
	bench_add_number(trial, "nodes", (double)count.nodes);
	bench_add_number(trial, "depth", (double)count.depth);
	bench_add_number(trial, "leaves", (double)count.leaves);
	bench_add_text(trial, "sha1", sha1_name(used));
	bench_add_number(trial, "sha1_scalar_ns", costs[SHA1_SCALAR]);
	bench_add_number(trial, "sha1_sha_ni_ns", costs[SHA1_NI]);
	bench_add_number(trial, "sha1_libcrypto_ns", costs[SHA1_LIBCRYPTO]);
}

static void *twin_thread(void *arg)
{
	twin_count = measure(arg, visit_serially);
	return NULL;
}

static void run_twin(struct trial *trial)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	prepare();
	error = pthread_attr_init(&attributes);
	if (error == 0) {
		error = pthread_attr_setstacksize(&attributes, TWIN_STACK);
		if (error == 0)
			error = pthread_create(&thread, &attributes, twin_thread, trial);
		pthread_attr_destroy(&attributes);
	}
	if (error == 0)
		error = pthread_join(thread, NULL);
	if (error != 0)
		trial->status = -error;
}

static int set_sha1(const char *value, const char **accepted)
{
	*accepted = "auto, scalar, sha-ni or libcrypto, as far as this machine and build have it";
	wanted = SHA1_VARIANTS;
	if (strcmp(value, "auto") == 0)
		return 0;
	for (int variant = 0; variant < SHA1_VARIANTS; variant++) {
		if (strcmp(value, sha1_name((enum sha1_variant)variant)) == 0 &&
		    sha1_function((enum sha1_variant)variant) != NULL) {
			wanted = (enum sha1_variant)variant;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_option(const char *name, const char *value, const char **accepted)
{
	if (strcmp(name, "--sha1") == 0)
		return set_sha1(value, accepted);
	if (!is_set)
		uts_tree_init(&tree);
	is_set = true;
	return uts_tree_set(&tree, name, value, accepted);
}

const struct workload bench_uts = {
	.name = "uts",
	.question = "how fast is a tree searched that nobody can divide in advance?",
	.twin = "serial",
	.metrics = { { "rate", "nodes/s", true } },
	.run = run,
	.run_twin = run_twin,
	.set_option = set_option,
	.help = "  --tree T1|T3|T3L  a published tree; its counts are checked (default: T1)\n"
		"  -t N  type: 0 binomial, 1 geometric, 2 hybrid, 3 balanced\n"
		"  -a N  shape of a geometric tree: 0 linear, 1 exponential, 2 cyclic, 3 fixed\n"
		"  -d N  depth          -b X  branching factor at the root   -r N  seed\n"
		"  -q X  probability of a binomial node to have children     -m N  how many then\n"
		"  -f X  a hybrid tree is geometric down to X times -d       -g N  SHA-1 per "
		"child\n"
		"  --sha1 auto|scalar|sha-ni|libcrypto (default: auto, the fastest of them here)\n",
};
