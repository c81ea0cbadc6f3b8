/* A channel: a queue between senders and receivers that come and go. */
#ifndef FILCH_CHANNEL_H
#define FILCH_CHANNEL_H

#include <filch/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Each side may have many ends. An end is closed by itself, waking only who waits at it; when the
 * last sender is closed the receivers take what is left and then get -ENODATA; when the last
 * receiver is closed what is left is drained and senders get -EPIPE.
 *
 *	struct filch_sender sender;
 *	struct filch_receiver receiver;
 *
 *	filch_channel_create(&options, &sender, &receiver);
 *	...
 *	filch_sender_put(&sender, &line);
 *	filch_sender_fini(&sender);
 *	...
 *	while ((status = filch_receiver_get(&receiver, &line)) == 0)
 *		print(&line);
 *	filch_receiver_fini(&receiver);		status is -ENODATA
 *
 * An end may be used by many at once, and closed meanwhile; not so fini.
 */
struct filch_channel;

struct filch_channel_end {
	struct filch_channel *channel;
	size_t permits; /* reserved by this sender */
	bool closed;
	size_t leaving;
	void *room[1];
};

struct filch_sender {
	struct filch_channel_end end;
};

struct filch_receiver {
	struct filch_channel_end end;
};

/* 0, -EINVAL, -ENOMEM. The options are those of a queue. */
FILCH_API int filch_channel_create(const struct filch_queue_options *options,
				   struct filch_sender *sender, struct filch_receiver *receiver);
/* Another end of the same side. 0, -EINVAL, -EBADF (`sender` is closed). */
FILCH_API int filch_sender_clone(struct filch_sender *sender, struct filch_sender *clone);
FILCH_API int filch_receiver_clone(struct filch_receiver *receiver, struct filch_receiver *clone);

/* Who waits at this end gets -EBADF, as later calls do. Slots reserved at it are given back.
 * 0, -EBADF when it is closed. Context: anywhere; does not park. */
FILCH_API int filch_sender_close(struct filch_sender *sender);
FILCH_API int filch_receiver_close(struct filch_receiver *receiver);
/* Closes it if need be and forgets the channel, whose memory goes with its last end. -EBUSY:
 * somebody waits at it. NULL and all-zero are accepted. */
FILCH_API int filch_sender_fini(struct filch_sender *sender);
FILCH_API int filch_receiver_fini(struct filch_receiver *receiver);

/* As the calls of a queue; also -EBADF (this end is closed), -EPIPE (no receiver is left, or one
 * has stopped the channel), -ENODATA (nothing is left, and no sender). */
FILCH_API int filch_sender_put(struct filch_sender *sender, const void *element);
FILCH_API int filch_sender_put_until(struct filch_sender *sender, const void *element,
				     filch_time deadline);
FILCH_API int filch_sender_try_put(struct filch_sender *sender, const void *element);
FILCH_API int filch_sender_reserve(struct filch_sender *sender);
FILCH_API int filch_sender_reserve_until(struct filch_sender *sender, filch_time deadline);
FILCH_API int filch_sender_try_reserve(struct filch_sender *sender);
FILCH_API int filch_sender_commit(struct filch_sender *sender, const void *element);
FILCH_API int filch_sender_unreserve(struct filch_sender *sender);

FILCH_API int filch_receiver_get(struct filch_receiver *receiver, void *element);
FILCH_API int filch_receiver_get_until(struct filch_receiver *receiver, void *element,
				       filch_time deadline);
FILCH_API int filch_receiver_try_get(struct filch_receiver *receiver, void *element);
FILCH_API int filch_receiver_get_many(struct filch_receiver *receiver, void *elements, size_t most,
				      size_t *count);
FILCH_API int filch_receiver_get_many_until(struct filch_receiver *receiver, void *elements,
					    size_t most, size_t *count, filch_time deadline);
FILCH_API int filch_receiver_try_get_many(struct filch_receiver *receiver, void *elements,
					  size_t most, size_t *count);
/* Nothing more may be put, but for what is reserved; what is there can still be got. */
FILCH_API int filch_receiver_stop(struct filch_receiver *receiver);
/* Elements that can be got. */
FILCH_API size_t filch_receiver_size(struct filch_receiver *receiver);

#ifdef __cplusplus
}
#endif

#endif
