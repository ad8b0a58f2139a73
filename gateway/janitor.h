/* gateway/janitor.h: all periodic work of a gateway, on one timer. */
#ifndef GATEWAY_JANITOR_H
#define GATEWAY_JANITOR_H

struct gateway;
struct janitor;
struct janitor *janitor_new(struct gateway *g);
void janitor_free(struct janitor *j);

#endif
