/* gateway/person.h: what is kept of one person: --export-user NAME prints it as JSON, and
 * --erase-user NAME removes it; turns that run end by that.
 *
 * NAME is the name of a user of Perses, or an owner as user.h spells it; where accounts of several
 * times had that name they are listed, and nothing is done until one is named. */
#ifndef GATEWAY_PERSON_H
#define GATEWAY_PERSON_H

struct gateway;

/* With loop, redis and store made. The process's exit code: 0 when it was done whole. */
int person_export(struct gateway *g, const char *name);
int person_erase(struct gateway *g, const char *name);

#endif
