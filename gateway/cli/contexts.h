/* gateway/cli/contexts.h: the sign-ins that a person's terminal remembers.
 *
 * One file of JSON, $XDG_CONFIG_HOME/persai/contexts.json, of mode 0600 in a folder of mode 0700:
 * it holds refresh tokens, each as good as its person. It is written beside and renamed, so that a
 * crash leaves the old one. Where there is neither that variable nor HOME, as a service has none,
 * nothing is remembered: what needs no sign-in works. */
#ifndef GATEWAY_CLI_CONTEXTS_H
#define GATEWAY_CLI_CONTEXTS_H

#include <jansson.h>
#include "common/buf.h"

#define CONTEXTS_NO_PLACE "neither XDG_CONFIG_HOME nor HOME is set"

struct contexts {
    json_t
        *all;   /* {"current": NAME, "contexts": {NAME: {"url", "user", "refresh_token"}}}; owned */
    char *path; /* NULL: nowhere */
};
/* False: error says why (bounds: 512 bytes). A file that others may read is refused. */
bool contexts_load(struct contexts *c, char error[512]);
bool contexts_save(const struct contexts *c, char error[512]);
void contexts_free(struct contexts *c);
/* The one that is meant: name, else PERSAI_CONTEXT, else the current one, else "default". */
const char *contexts_name(const struct contexts *c, const char *name);
json_t *contexts_get(const struct contexts *c, const char *name);  /* borrowed; NULL: none */
json_t *contexts_make(const struct contexts *c, const char *name); /* borrowed */

#endif
