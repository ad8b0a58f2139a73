/* common/fetch_lane.h: libcurl's multi handles on the loop, for common/fetch.c alone.
 *
 * libcurl finds a socket's transfer in a table of 911 lists, and keeps the timers of all transfers
 * in one tree (7.88): with thousands of streams each token would walk through a dozen of them. So
 * each few hundred transfers have a multi handle of their own, a lane; the first that has room is
 * taken, which uses connections again as one handle would. */
#ifndef COMMON_FETCH_LANE_H
#define COMMON_FETCH_LANE_H

#include <curl/curl.h>
#include "common/loop.h"

struct lanes;
struct lane;

/* Neither is called from inside libcurl. */
struct lanes_handler {
    void (*on_acted)(void *arg); /* libcurl was called, and has returned */
    void (*on_ended)(void *arg, CURL *easy, CURLcode code); /* the transfer is over */
};
/* kept_ms: after this the connections of a lane without transfers are closed. */
struct lanes *lanes_new(struct loop *l, int64_t kept_ms, const struct lanes_handler *h, void *arg);
void lanes_free(struct lanes *ls); /* no transfer is in one */

/* NULL: libcurl refuses it. The transfer is the caller's until lane_remove, and after it. */
struct lane *lanes_add(struct lanes *ls, CURL *easy);
void lane_remove(struct lane *l, CURL *easy);
CURLcode lane_unpause(struct lane *l, CURL *easy);
void lane_take(struct lane *l); /* tells of transfers that are over, after a call of one's own */

bool lanes_inside(const struct lanes *ls); /* libcurl is on the stack */
void lanes_pass(struct lanes *ls);         /* at the end of each pass of the loop */
/* From a transfer's callback: what came now was none of the first bytes of a stream that has its
 * connection to itself. Its socket may wait for others from now on. */
void lanes_may_wait(struct lanes *ls);

#endif
