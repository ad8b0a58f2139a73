/* worker/tools/args.h: a call's arguments, checked against the tool's JSON Schema. Pure.
 *
 * Of JSON Schema it knows what tools.def uses: objects of strings, integers, numbers, booleans and
 * arrays of these, with minLength, maxLength, minimum, maximum, minItems, maxItems, enum, required,
 * additionalProperties false. What it does not know (schemas of MCP servers have it) is let
 * through: their server checks it. Models are sloppy in ways that have one meaning: a number where
 * a string is wanted, "10" where an integer is, a list written as a string, null for "not given",
 * a word of an enum in another case are taken; in ours also a known argument's other name (expr for
 * query), a percentage where a share is wanted, the most that may be asked for instead of more,
 * matchers as an object, a query in Markdown's quotes; a word that an enum of ours lacks is its
 * default, where it has one. All else is refused in words that tell the model what to change. */
#ifndef WORKER_TOOLS_ARGS_H
#define WORKER_TOOLS_ARGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum { ARGS_BYTES_MAX = 64 * 1024 };

/* NULL: refused, error says why. The result belongs to the caller (json_decref); absent and null
 * arguments are not in it. own: the schema is one of ours (tools.def), not an MCP server's. notes:
 * what was taken for something else than it says, in a sentence each; may be NULL. */
json_t *args_read(const json_t *schema, bool own, struct str text, struct buf *error,
                  struct buf *notes);

struct str args_str(const json_t *args, const char *name); /* empty: not given */
int64_t args_int(const json_t *args, const char *name, int64_t otherwise);

#endif
