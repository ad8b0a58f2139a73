/* gateway/auth/rights.h: which datasources a person may read at this moment. Perses is asked, with
 * the person's own token, for each datasource once: the right that its proxy asks for is the one
 * that reading the object needs. What is known is of this moment, so it is kept for one request and
 * no longer. */
#ifndef GATEWAY_AUTH_RIGHTS_H
#define GATEWAY_AUTH_RIGHTS_H

#include "gateway/gateway.h"
#include "gateway/auth/identity.h"

enum right {
    RIGHT_NO, /* or there is none of that path, or too many are asked about */
    RIGHT_YES,
    RIGHT_SILENT, /* Perses did not answer */
    RIGHT_ASKED,  /* on_known will come */
};
enum { RIGHTS_MAX = 64 }; /* datasources of one request */

struct rights;
/* on_known: once nothing is asked any more, from the loop. c is shared. */
struct rights *rights_new(struct gateway *g, const struct credentials *c, loop_fn *on_known,
                          void *arg);
void rights_free(struct rights *r); /* NULL is fine; not from inside on_known */
/* path: of a datasource's proxy. It is to be asked for, unless it is known. */
enum right rights_ask(struct rights *r, struct str path);
/* Asks for all those; there is one at least. */
void rights_send(struct rights *r);
/* What is known, without asking. */
enum right rights_of(const struct rights *r, struct str path);

#endif
