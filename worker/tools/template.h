/* worker/tools/template.h: may a template of line_format or label_format run? Pure.
 *
 * They are Go's text/template with Loki's functions (Loki's docs: "Template functions"), and Loki
 * has no bound for what one writes: repeat 5000000 "x" takes gigabytes, and a label of more than
 * 16 MB ends the whole process (seen with 3.7.8: "String too long to encode as label"). So what
 * the longest line or label of a query may have is reckoned, over all of its templates. */
#ifndef WORKER_TOOLS_TEMPLATE_H
#define WORKER_TOOLS_TEMPLATE_H

#include "common/buf.h"

/* Bytes that a line or a label may have before the first template. */
uint64_t template_first(void);

/* The string as it stands in the query, between quotes of this kind. bytes: what a line or a label
 * may have till now, and then with this one. NULL: it may run; else why not. */
const char *template_read(uint64_t *bytes, struct str written, char quote);

/* Why a query must not make values of this size; NULL: it may. */
const char *template_too_large(uint64_t bytes);

#endif
