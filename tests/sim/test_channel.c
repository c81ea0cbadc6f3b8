/* Channels in simulation: their ends come and go, and everybody is told. */
#include "sim/crew.h"

#define PRODUCERS 3
#define EACH 3

struct letter {
	unsigned from, number;
};

static struct filch_sender senders[PRODUCERS];
static struct filch_receiver receivers[2];
static unsigned put[PRODUCERS], seen[PRODUCERS][EACH];

static void see(const struct letter *letter)
{
	seeds_check(letter->from < PRODUCERS && letter->number < EACH);
	seeds_check(seen[letter->from][letter->number]++ == 0);
}

static void drain(const void *element, void *context)
{
	(void)context;
	see(element);
}

static void reset(void)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(struct letter),
					       .capacity = seeds_pick(3),
					       .undelivered = drain };

	memset(put, 0, sizeof(put));
	memset(seen, 0, sizeof(seen));
	filch_channel_create(&options, &senders[0], &receivers[0]);
	filch_sender_clone(&senders[0], &senders[1]);
	filch_sender_clone(&senders[0], &senders[2]);
	filch_receiver_clone(&receivers[0], &receivers[1]);
}

static int send_one(struct filch_sender *sender, const struct letter *letter)
{
	int status;

	switch (seeds_pick(4)) {
	case 0:
		return filch_sender_put_until(sender, letter, crew_soon());
	case 1:
		return seeds_patient(filch_sender_put_until(sender, letter, seeds_patience()));
	case 2:
		status = filch_sender_reserve(sender);
		if (status < 0)
			return status == -EINVAL ? -EAGAIN : status; /* a rendezvous has none */
		crew_pause();
		return filch_sender_commit(sender, letter);
	default:
		return filch_sender_put(sender, letter);
	}
}

static int send_all(struct player *self)
{
	struct letter letter = { .from = self->index };
	struct filch_sender *sender = &senders[self->index];
	int status = 0;

	while (letter.number < EACH) {
		status = send_one(sender, &letter);
		if (status == -ECANCELED || status == -EPIPE)
			break;
		seeds_check(status == 0 || status == -ETIMEDOUT || status == -EAGAIN ||
			    status == -ENOMEM);
		if (status == 0) {
			put[self->index]++;
			letter.number++;
		}
	}
	seeds_check(filch_sender_close(sender) == 0);
	return status == -EPIPE ? 0 : status;
}

static int receive_one(struct filch_receiver *receiver, struct letter *letter)
{
	switch (seeds_pick(4)) {
	case 0:
		return filch_receiver_get_until(receiver, letter, crew_soon());
	case 1:
		return seeds_patient(filch_receiver_get_until(receiver, letter, seeds_patience()));
	default:
		return filch_receiver_get(receiver, letter);
	}
}

static int receive(struct filch_receiver *receiver)
{
	unsigned next[PRODUCERS] = { 0 };
	struct letter letter;
	int status;

	for (;;) {
		status = receive_one(receiver, &letter);
		if (status == -ETIMEDOUT)
			continue;
		if (status < 0)
			break;
		see(&letter);
		seeds_check(letter.number >= next[letter.from]);
		next[letter.from] = letter.number + 1;
		if (seeds_pick(16) == 0)
			break; /* had enough */
		crew_pause();
	}
	seeds_check(status == 0 || status == -ENODATA || status == -ECANCELED || status == -ENOMEM);
	seeds_check(filch_receiver_close(receiver) == 0);
	return status == -ENODATA ? 0 : status;
}

static int send_or_receive(struct player *self)
{
	return self->index < PRODUCERS ? send_all(self)
				       : receive(&receivers[self->index - PRODUCERS]);
}

static int pass_letters(void *arg)
{
	int status = crew_run(5, send_or_receive);

	(void)arg;
	for (int i = 0; i < PRODUCERS; i++)
		seeds_check(filch_sender_fini(&senders[i]) == 0);
	for (int i = 0; i < 2; i++)
		seeds_check(filch_receiver_fini(&receivers[i]) == 0);
	for (unsigned from = 0; from < PRODUCERS; from++)
		for (unsigned number = 0; number < EACH; number++)
			seeds_check(seen[from][number] == (number < put[from]));
	return status;
}

Test(channel, every_end_is_told_and_each_letter_is_got_or_told_of_once, .timeout = 110)
{
	static const struct scenario scenario = { "channel", pass_letters, reset, 0 };

	seeds_explore(&scenario, 14000);
}
