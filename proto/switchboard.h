/* proto/switchboard.h: what is off at this moment, in a process that serves: by a file of the
 * operator's (PERSAI_SWITCHES) and by the store, which is asked each second, so that a switch holds
 * everywhere about a second later. While the store is away what it said last holds. */
#ifndef PROTO_SWITCHBOARD_H
#define PROTO_SWITCHBOARD_H

#include "common/loop.h"
#include "proto/switches.h"

struct store;
struct switchboard;
/* file: its path, or "". on_change: something was switched; or NULL. NULL: error says what is wrong
 * with the file. */
struct switchboard *switchboard_new(struct loop *l, struct store *s, const char *file,
                                    loop_fn *on_change, void *arg, char error[256]);
void switchboard_free(struct switchboard *b); /* NULL is fine */
/* The file is read again. False: it stays as it was, and error says why. */
bool switchboard_reload(struct switchboard *b, char error[256]) warn_unused;
/* As long as the board is there. */
/* b NULL (a check has none): NULL, nothing is off. */
const struct switched *switchboard_now(const struct switchboard *b);
/* This is what the store says. */
void switchboard_told(struct switchboard *b, const struct switches *s);

#endif
