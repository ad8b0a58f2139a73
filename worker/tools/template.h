/* worker/tools/template.h: may a template of line_format or label_format run? Pure.
 *
 * They are Go's text/template with Loki's functions (Loki's docs: "Template functions"), and Loki
 * has no bound for what one writes: repeat 5000000 "x" takes gigabytes. */
#ifndef WORKER_TOOLS_TEMPLATE_H
#define WORKER_TOOLS_TEMPLATE_H

#include "common/buf.h"

/* The string as it stands in the query, between quotes of this kind. growth: of all templates of
 * the query till now (they can be chained), at first 0. NULL: it may run; else why not. */
const char *template_read(unsigned *growth, struct str written, char quote);

#endif
