/* proto/path.h: the path of a Perses datasource proxy, parsed. The gateway checks it, the worker
 * checks it again.
 *
 * Exactly /proxy/globaldatasources/NAME, /proxy/projects/P/datasources/NAME or
 * /proxy/projects/P/dashboards/D/datasources/NAME; names as Perses allows them ([A-Za-z0-9_.-], 1
 * to 75 characters, not "." or ".."): no dot segments, no percent escapes, no empty segment,
 * nothing after the name. So what is built on it can't leave the datasource (nor reach
 * /proxy/unsaved). */
#ifndef PROTO_PATH_H
#define PROTO_PATH_H

#include "common/buf.h"
#include "proto/err.h"

struct path {
    struct str project, dashboard,
        name; /* slices of the text that was parsed; project and dashboard may be empty */
};
enum { PATH_MAX_BYTES = 300 };

/* A name as Perses allows it in a path, as above. */
bool path_name_ok(struct str name);
enum err path_parse(struct str text, struct path *out)
    warn_unused; /* ERR_NO_DATASOURCE_PATH when empty, ERR_BAD_DATASOURCE_PATH */

#endif
