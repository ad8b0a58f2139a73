/* worker/tools/prometheus/tokens.h: PromQL cut into words, as far as mending a query needs it: it
 * judges nothing (promql.c does), so that what no parser takes is read as well. Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_TOKENS_H
#define WORKER_TOOLS_PROMETHEUS_TOKENS_H

#include <stdbool.h>
#include "common/buf.h"

enum { TOKENS_MAX = 1024 }; /* of a query; a longer one is not mended */

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NUMBER, /* and durations */
    TOKEN_STRING,
    TOKEN_OPEN, /* ( { [ and their like: text is the character */
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_OPERATOR,
};
struct token {
    enum token_kind kind;
    struct str text;
    unsigned pair; /* of OPEN and CLOSE: the other's index; of one without: 0 */
    unsigned depth;
};
struct tokens {
    struct str query;
    unsigned count; /* without the END behind them */
    bool whole;     /* not too many, every parenthesis has its pair, no string without end */
    struct token all[TOKENS_MAX + 8]; /* some ENDs: a look ahead needs no check */
};
void tokens_read(struct tokens *t, struct str query);

bool token_is(const struct token *k, const char *word); /* in any case */
bool token_opens(const struct token *k, char c);
bool token_aggregates(const struct token *k); /* sum, topk … */
bool token_ranges(const struct token *k);     /* rate, avg_over_time …: takes a range vector */
bool token_counts(const struct token *k);     /* rate, irate, increase: of a counter */
/* The text from one token to another, both included. */
struct str tokens_text(const struct tokens *t, unsigned from, unsigned to);
/* Is it a selector's first token (a metric's name or a brace)? Then *last is its last, without a
 * range or modifiers. */
bool tokens_selector(const struct tokens *t, unsigned at, unsigned *last);
/* An aggregation's parts, at its name: by (…) before or behind, and its parameters. */
struct aggregation {
    unsigned at, open, close, last;    /* last: of all of it */
    unsigned by_at, by_open, by_close; /* 0: it has none; by_at: "by" or "without" */
    unsigned inner;                    /* first token of its last parameter: the vector */
};
bool tokens_aggregation(const struct tokens *t, unsigned at, struct aggregation *a);
/* The operator of lowest precedence outside of all parentheses, as the query's last; 0: none (one
 * is never first, but for a sign). */
unsigned tokens_top_operator(const struct tokens *t);

#endif
