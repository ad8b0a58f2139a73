/* worker/llm/redact.h: the rules of PERSAI_REDACT: what must not leave for a provider, an MCP
 * server or a trace. Ordered regular expressions, one a line:
 *
 *     # a comment
 *     include email, ipv4              sets that come with PersAI: redact_sets.def
 *     host =~ \b[a-z0-9-]+\.corp\.example\b
 *     \bACME-[0-9]{6}\b                a rule without a name is called rule_LINE
 *
 * A file without a rule is none, and a line that would mask nothing of what it was meant to (the
 * name of a set alone, a name that can't be one before =~) is refused.
 *
 * Where two rules match, the one that begins earlier wins, at the same place the earlier rule. What
 * stands in place of a match is mask.h's matter. A rule that gives up at its limit (pattern.h)
 * counts as one that matches all of the text: what was not seen does not leave.
 *
 * Memory: redact_free. */
#ifndef WORKER_LLM_REDACT_H
#define WORKER_LLM_REDACT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum { REDACT_RULES_MAX = 200, REDACT_NAME_MAX = 24 };

struct redact;

/* NULL: error says why, with file and line. */
struct redact *redact_file(const char *path, char error[static 256]);
struct redact *redact_parse(struct str text, const char *name, char error[static 256]);
void redact_free(struct redact *r); /* NULL is fine */

unsigned redact_count(const struct redact *r);
const char *redact_name(const struct redact *r, unsigned rule);
/* How often the rules of its name matched, and how often any gave up. */
uint64_t redact_matches(const struct redact *r, unsigned rule);
uint64_t redact_limits(const struct redact *r);

/* It was said of this text that nothing of it matches. A turn says most of what it says in every
 * one of its requests: what is known costs a hash. */
bool redact_known_clean(const struct redact *r, struct str text);
void redact_note_clean(struct redact *r, struct str text);

struct redact_match {
    unsigned rule;
    size_t begin, end; /* bytes */
};
/* A walk over a text, from match to match. */
struct redact_walk {
    struct redact *rules;
    struct str text;
    size_t at;
    struct redact_match next[REDACT_RULES_MAX]; /* of each rule; begin == text.len: none */
};
/* The text is borrowed. False: nothing of it matches. */
bool redact_begin(struct redact_walk *w, struct redact *r, struct str text);
/* False: that was all. Matches come in order and do not overlap. */
bool redact_next(struct redact_walk *w, struct redact_match *out);

#endif
