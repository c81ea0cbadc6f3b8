/* The count of a group's children, src/task/group.c: the owner leaves after the last one. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "model.h"

/*
 * The functions mirror those of the same name. What the group's frame, the waiter and
 * the children's work stand for is plain memory; the owner destroys the frame when it leaves. The
 * deque and the park word have models of their own: here they are words that hand over.
 */
#define BIAS (UINT64_C(1) << 40)

static const int CHILDREN = 3;

struct filch_group {
	struct filch_word64 pending;
	uint64_t left;
	PLAIN(int) waiter;
	PLAIN(int) frame; /* 1 while it stands */
	PLAIN(int) work[CHILDREN];

	rl::atomic<uint32_t> handed[CHILDREN]; /* a child is in somebody's deque */
	rl::atomic<uint32_t> woken;
	int wakes;
};

static const rl::debug_info NOWHERE;

static void hand(rl::atomic<uint32_t> *word)
{
	word->store(1, rl::mo_release, NOWHERE);
	model::wake_on(word);
}

static void await(rl::atomic<uint32_t> *word)
{
	while (word->load(rl::mo_acquire, NOWHERE) == 0)
		model::sleep_on(word, 0u);
}

static void filch_group_open(struct filch_group *group)
{
	word64_store_relaxed(&group->pending, BIAS);
	group->left = 0;
}

static void filch_group_spawn(struct filch_group *group, int child)
{
	hand(&group->handed[child]);
	group->left++;
}

/* A child spawns into the group whose member it is. */
static void spawn_as_member(struct filch_group *group, int child)
{
	word64_add_relaxed(&group->pending, 1);
	hand(&group->handed[child]);
}

static bool is_done(struct filch_group *group)
{
	return word64_load_acquire(&group->pending) + group->left == BIAS;
}

static void wait_for_the_rest(struct filch_group *group)
{
	uint64_t change = group->left - BIAS;

	PLAIN_WRITE(group->waiter, 7);
	if (word64_add_acq_rel(&group->pending, change) + change != 0)
		await(&group->woken);
}

static void filch_group_close(struct filch_group *group)
{
	if (!is_done(group))
		wait_for_the_rest(group);
}

static void filch__group_child_done(struct filch_group *group)
{
	if (word64_sub_acq_rel(&group->pending, 1) != 1)
		return;
	model::require(PLAIN_READ(group->waiter) == 7, "the owner waits");
	group->wakes++;
	hand(&group->woken);
}

static void run_child(struct filch_group *group, int child, int spawned)
{
	await(&group->handed[child]);
	model::require(PLAIN_READ(group->frame) == 1, "the group is there");
	PLAIN_WRITE(group->work[child], 1);
	if (spawned > child)
		spawn_as_member(group, spawned);
	filch__group_child_done(group);
}

/* Opens, spawns, runs some itself, closes, and leaves the frame. */
static void run_owner(struct filch_group *group, int elsewhere, int in_place, int total)
{
	for (int i = 0; i < elsewhere; i++)
		filch_group_spawn(group, i);
	for (int i = 0; i < in_place; i++) {
		group->left++;
		group->left--;
	}
	filch_group_close(group);
	for (int i = 0; i < total; i++)
		model::require(PLAIN_READ(group->work[i]) == 1, "a child's work is there");
	PLAIN_WRITE(group->frame, 0);
}

/* `Members`: the first child spawns the one after the owner's. */
template <int Children, bool Members, int Threads>
struct group_test : rl::test_suite<group_test<Children, Members, Threads>, Threads> {
	struct filch_group group;

	void before()
	{
		model::begin();
		filch_group_open(&group);
		PLAIN_WRITE(group.frame, 1);
		PLAIN_WRITE(group.waiter, 0);
		group.wakes = 0;
		for (int i = 0; i < CHILDREN; i++) {
			PLAIN_WRITE(group.work[i], 0);
			group.handed[i].store(0, rl::mo_relaxed, NOWHERE);
		}
		group.woken.store(0, rl::mo_relaxed, NOWHERE);
	}

	void thread(unsigned index)
	{
		if (index == 0)
			run_owner(&group, Children, 1, Threads - 1);
		else
			run_child(&group, (int)index - 1, Members && index == 1 ? Children : 0);
	}

	void after()
	{
		model::require(group.wakes <= 1, "the owner is woken once");
	}
};

static const struct model::client clients[] = {
	{ "1 child", model::search<group_test<1, false, 2>>, 100000, true },
	{ "2 children", model::search<group_test<2, false, 3>>, 100000, true },
	{ "1 child spawns another", model::search<group_test<1, true, 3>>, 100000, true },
	{ "2 children and another", model::search<group_test<2, true, 4>>, 100000, true },
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "model_group", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
