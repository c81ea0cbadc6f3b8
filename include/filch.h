/* filch: tasks that park, on all cores. This header includes all others. */
#ifndef FILCH_H
#define FILCH_H

#include <filch/barrier.h>
#include <filch/broadcast.h>
#include <filch/channel.h>
#include <filch/condition.h>
#include <filch/event.h>
#include <filch/group.h>
#include <filch/latch.h>
#include <filch/limiter.h>
#include <filch/line.h>
#include <filch/lock.h>
#include <filch/notify.h>
#include <filch/once.h>
#include <filch/oneshot.h>
#include <filch/parking_lot.h>
#include <filch/queue.h>
#include <filch/runtime.h>
#include <filch/rwlock.h>
#include <filch/select.h>
#include <filch/semaphore.h>
#include <filch/simulate.h>
#include <filch/task.h>
#include <filch/timer.h>
#include <filch/token.h>
#include <filch/types.h>
#include <filch/watch.h>

#endif
