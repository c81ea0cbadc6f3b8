/* A crew: tasks at one object, each in a scope of its own, and somebody who cancels one of them. */
#ifndef FILCH_TESTS_SIM_CREW_H
#define FILCH_TESTS_SIM_CREW_H

#include "sim/seeds.h"

#include <filch.h>

#define CREW_MOST 8

struct player {
	unsigned index;
	int (*play)(struct player *self);
	bool began, ended;
	struct filch_token token;
};

struct crew {
	unsigned count;
	struct filch_group group;
	struct player players[CREW_MOST];
};

static inline int crew_play(void *arg)
{
	struct player *self = arg;
	int status;

	self->began = true;
	seeds_check(filch_scope_enter(&self->token) == 0);
	status = self->play(self);
	seeds_check(filch_scope_leave(&self->token) == 0);
	self->ended = true;
	return status == -ECANCELED || status == -ETIMEDOUT || status == -ENOMEM ? 0 : status;
}

static inline int crew_cancel_one(void *arg)
{
	struct crew *crew = arg;
	struct player *player = &crew->players[seeds_pick(crew->count)];

	if (seeds_pick(2))
		filch_yield();
	if (!player->ended)
		filch_token_cancel(&player->token, 0);
	return 0;
}

static inline int crew_open(struct crew *crew)
{
	crew->count = 0;
	return filch_group_open(&crew->group, NULL);
}

/* Without memory everybody is cancelled, as some may wait for who does not come. */
static inline int crew_add(struct crew *crew, int (*play)(struct player *self))
{
	struct player *player = &crew->players[crew->count];
	int status;

	*player = (struct player){ .index = crew->count++, .play = play };
	filch_token_init(&player->token);
	status = filch_group_spawn(&crew->group, crew_play, player);
	if (status < 0)
		filch_group_cancel(&crew->group, 0);
	return status;
}

static inline int crew_close(struct crew *crew)
{
	int status = filch_group_close(&crew->group);

	for (unsigned i = 0; i < crew->count; i++) {
		seeds_check(crew->players[i].began == crew->players[i].ended);
		seeds_check(filch_token_fini(&crew->players[i].token) == 0);
	}
	return status;
}

/* `count` players at `play`, each of which comes to its end; in every third run one is cancelled
 * some time. */
static inline int crew_run(unsigned count, int (*play)(struct player *self))
{
	struct crew crew;
	int status = crew_open(&crew), failure = 0;

	if (status < 0)
		return status;
	while (crew.count < count && failure == 0)
		failure = crew_add(&crew, play);
	if (seeds_pick(3) == 0 && failure == 0)
		failure = filch_group_spawn(&crew.group, crew_cancel_one, &crew);
	status = crew_close(&crew);
	return failure < 0 ? failure : status;
}

/* A moment in the middle of something. */
static inline void crew_pause(void)
{
	switch (seeds_pick(4)) {
	case 0:
		filch_yield();
		break;
	case 1:
		filch_sleep(1 + seeds_pick(3));
		break;
	default:
		break;
	}
}

/* Some deadlines come, others do not. */
static inline filch_time crew_soon(void)
{
	return filch_now() + seeds_pick(4);
}

/* ---- First in, first out ---- */

static unsigned crew_order[CREW_MOST], crew_ordered;

static inline void crew_note(const struct player *self)
{
	crew_order[crew_ordered++] = self->index;
}

/*
 * Players come to `wait` one after the other (it ends in crew_note when it is served), `serve`
 * is called `serves` times, as often with somebody being cancelled: served are the others, in that
 * order. How many in *served.
 */
static inline int crew_line(int (*wait)(struct player *self), void (*serve)(void), unsigned serves,
			    unsigned *served)
{
	struct crew crew;
	int status = crew_open(&crew), closed;

	crew_ordered = 0;
	while (status == 0 && crew.count < 5) {
		status = crew_add(&crew, wait);
		if (status == 0)
			status = filch_simulation_wait_all_parked();
	}
	for (unsigned i = 0; status == 0 && i < serves; i++) {
		if (seeds_pick(3) == 0)
			status = filch_group_spawn(&crew.group, crew_cancel_one, &crew);
		serve();
		if (status == 0)
			status = filch_simulation_wait_all_parked();
	}
	*served = crew_ordered;
	filch_group_cancel(&crew.group, 0);
	closed = crew_close(&crew);
	for (unsigned i = 1; i < crew_ordered; i++)
		seeds_check(crew_order[i - 1] < crew_order[i]);
	return status < 0 ? status : closed;
}

#endif
