/* worker/tools/shelf.h: the catalogs of metrics that were read lately, one for each datasource and
 * person; list_metrics reads them.
 *
 * Models list metrics several times in a row and at once: those calls share one load. A catalog is
 * used for a minute. Nobody sees what another person's token read: the token's keyed hash is part
 * of the key. Bounded by number and bytes, the oldest goes first. */
#ifndef WORKER_TOOLS_SHELF_H
#define WORKER_TOOLS_SHELF_H

struct shelf;
struct tools;

struct shelf *shelf_new(struct tools *t);
void shelf_free(struct shelf *s); /* no run uses it any more */

#endif
