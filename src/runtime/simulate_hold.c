/* What other threads do for a simulation holds its clock. */
#include "runtime/simulate.h"

#include <errno.h>

int filch__simulation_hold(struct world **world)
{
	struct world *self = filch__world_self();

	if (!self)
		return -EPERM;
	simulation_of(self)->holds++;
	*world = self;
	return 0;
}

void filch__simulation_release(struct world *world, struct world_job *job)
{
	struct simulation *simulation = simulation_of(world);

	pthread_mutex_lock(&simulation->jobs_lock);
	job->link.next = NULL;
	list_push_back(&simulation->finished, &job->link);
	pthread_cond_signal(&simulation->jobs_done);
	pthread_mutex_unlock(&simulation->jobs_lock);
}

struct world_job *filch__simulation_wait_for_job(struct simulation *simulation)
{
	struct list *link;

	pthread_mutex_lock(&simulation->jobs_lock);
	while (!(link = list_pop_front(&simulation->finished)))
		pthread_cond_wait(&simulation->jobs_done, &simulation->jobs_lock);
	pthread_mutex_unlock(&simulation->jobs_lock);
	simulation->holds--;
	return container_of(link, struct world_job, link);
}

bool filch__simulation_finish_job(struct simulation *simulation)
{
	struct world_job *job;

	if (simulation->holds == 0)
		return false;
	job = filch__simulation_wait_for_job(simulation);
	filch__simulation_event(simulation, simulation->holds, "a job is done");
	if (job->fn)
		job->fn(job->arg);
	return true;
}
