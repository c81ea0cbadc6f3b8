/* The condition misused, and with a lock that breaks: told, and usable afterwards. */
#include "sync/waits.h"

/* CD1, CD2, CD20, G10, G11 */
static int misuse(void *arg)
{
	struct filch_lock other = { 0 };
	struct scene scene;

	(void)arg;
	open_scene(&scene, 1, 0);
	cr_expect_eq(filch_condition_init(NULL, 0), -EINVAL);
	cr_expect_eq(filch_condition_init(&(struct filch_condition){ .flags = 0 }, 8), -EINVAL);
	cr_expect_eq(filch_condition_fini(NULL), 0);
	cr_expect_eq(filch_condition_fini(&scene.condition), -EBUSY);
	cr_expect_eq(filch_condition_wait(NULL, &scene.lock), -EINVAL);
	cr_expect_eq(filch_condition_wait(&scene.condition, NULL), -EINVAL);
	cr_expect_eq(filch_condition_wait_for(&scene.condition, &scene.lock, NULL, NULL), -EINVAL);
	cr_expect_eq(filch_condition_notify(NULL, 1), -EINVAL);
	cr_expect_eq(filch_condition_notify_all(NULL), -EINVAL);
	cr_expect_eq(filch_condition_wait(&scene.condition, &scene.lock), -EPERM);
	cr_expect_eq(filch_condition_notify(&scene.condition, 1), -EPERM);
	cr_expect_eq(filch_condition_notify_all(&scene.condition), -EPERM);
	cr_expect_eq(waiting_for(&scene.condition), 1);
	cr_expect_eq(filch_lock_acquire(&other), 0);
	cr_expect_eq(filch_condition_wait(&scene.condition, &other), -EBUSY);
	cr_expect(is_mine(&other));
	cr_expect_eq(filch_condition_notify(&scene.condition, 1), -EPERM);
	cr_expect_eq(filch_lock_release(&other), 0);
	cr_expect_eq(flag_get(&scene.crew.arrived), 0);
	notify(&scene, 1);
	close_scene(&scene);
	cr_expect_eq(scene.crew.status[0], 0);
	return 0;
}

Test(condition_misuse, misuse_is_told_and_changes_nothing)
{
	play(misuse);
}

/* A lock that is broken meanwhile: its waiters are told, notified or not. */
static int notify_and_end(void *arg)
{
	struct scene *scene = arg;

	cr_expect_eq(filch_lock_acquire(&scene->lock), 0);
	cr_expect_eq(filch_condition_notify(&scene->condition, 1), 0);
	return 0;
}

static int wait_for_the_broken(void *arg)
{
	struct scene *scene = arg;

	cr_expect_eq(filch_lock_acquire(&scene->lock), 0);
	return filch_condition_wait(&scene->condition, &scene->lock);
}

static int end_with_it(void *arg)
{
	struct scene *scene = arg;

	return filch_lock_acquire(&scene->lock);
}

static void wait_until_it_broke(struct scene *scene, filch_task_fn *owner, bool notify_later)
{
	static const struct filch_group_options collect = { .size = sizeof(collect),
							    .policy = FILCH_GROUP_COLLECT };
	struct filch_lock_statistics at;
	struct filch_group group;

	filch_group_open(&group, &collect);
	filch_group_spawn(&group, wait_for_the_broken, scene);
	while (waiting_for(&scene->condition) == 0)
		filch_yield();
	filch_group_spawn(&group, owner, scene);
	do {
		filch_yield();
		filch_lock_get_statistics(&scene->lock, &at);
	} while (!at.broken);
	if (notify_later)
		cr_expect_eq(filch_condition_notify(&scene->condition, 1), 0);
	cr_expect_eq(filch_group_close(&group), -EOWNERDEAD);
	cr_expect_eq(filch_lock_repair(&scene->lock), 0);
}

static int broken(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 0, FILCH_CONDITION_NOTIFY_UNLOCKED);
	wait_until_it_broke(&scene, notify_and_end, false);
	wait_until_it_broke(&scene, end_with_it, true);
	add_waits(&scene, 0, FILCH_NEVER);
	notify(&scene, 1);
	close_scene(&scene);
	cr_expect_eq(scene.crew.status[0], 0);
	return 0;
}

Test(condition_misuse, a_lock_that_broke_is_told_and_not_held)
{
	play(broken);
}
