/* worker/tools/door.h: leave to ask one datasource. source_request takes a door and only the gate
 * (gate.h) makes them, so that no tool can forget it; tests/tidy holds every other file off
 * door_new. Inside worker/tools only. */
#ifndef WORKER_TOOLS_DOOR_H
#define WORKER_TOOLS_DOOR_H

struct door;
struct door *door_new(const char *path); /* of gate.c alone */
const char *door_path(const struct door *d);
struct door *door_ref(struct door *d);
void door_free(struct door *d); /* one reference; NULL is fine */

#endif
