/* worker/tools/rows.h: a tool that asks one JSON API and shows a page of rows of what it answers.
 * Inside worker/tools only.
 *
 * Rows are written, filtered and paged while they arrive, so that an answer of any size costs a
 * page of memory. The arguments limit, offset and search are the tool's own where its schema has
 * them. The state is the run's; it is freed with it. */
#ifndef WORKER_TOOLS_ROWS_H
#define WORKER_TOOLS_ROWS_H

#include "worker/tools/items.h"
#include "worker/tools/source.h"
#include "worker/tools/span.h"

enum { ROWS_NOTES_MAX = 4096, ROWS_TEXT_MAX = 300 };

struct rows;
struct rows_spec {
    const char *kind; /* of the result: {"kind":KIND,…,LIST:[rows]} */
    const char *list;
    const char *product; /* what answers, as "Loki" */
    unsigned page;       /* rows without a limit */
    unsigned path_count;
    const char *paths[ITEMS_PATHS_MAX];
    /* Writes one row (JSON) of an item. False: it is no row of the result (a filter, or another
     * path, whose facts it kept in r->extra). */
    bool (*row)(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b);
    /* More members before the list, each by json_key; NULL: none. */
    void (*head)(struct rows *r, struct buf *b);
    const char *empty; /* note when nothing came */
    /* Nothing came: asks once more for something else. False: there is nothing else; NULL: none. */
    bool (*again)(struct rows *r);
    /* Instead of the end: the tool goes on with what r->extra holds. False: it is the end; NULL:
     * none. */
    bool (*then)(struct rows *r);
    bool optional; /* who is refused goes on as if nothing came */
};
struct rows {
    const struct rows_spec *spec;
    struct tool_run *run;
    struct source_request ask;
    struct items items;
    unsigned limit, offset;
    struct buf search; /* lower case */
    uint64_t all, total, shown;
    bool full, cut, perses, again;      /* again: it was asked once more */
    const char *paths[ITEMS_PATHS_MAX]; /* the spec's, and where a server says more */
    struct span span; /* what was asked for: told with the result when it is set */
    struct buf page, row, notes;
    void *extra;                     /* the tool's own */
    void (*extra_free)(void *extra); /* NULL: free() */
};
/* Makes the run's state; the tool may set r->extra, then asks. */
struct rows *rows_new(struct tool_run *run, const struct rows_spec *spec);
/* A GET; the run ends by itself. */
void rows_ask(struct rows *r, const char *api, struct buf *form);
/* The same of Perses's own API. */
void rows_ask_perses(struct rows *r, const char *api, struct buf *form);
/* A POST of a JSON body. */
void rows_post(struct rows *r, const char *api, struct buf *body);
/* Frees the state before its run's end: what `then` goes on with is another state. */
void rows_end(struct rows *r);
bool rows_has(const struct rows *r, struct str text); /* the text contains what is searched for */
/* A value of these labels does, or nothing is searched for. */
bool rows_has_label(const struct rows *r, const json_t *labels);
bool rows_searching(const struct rows *r);
void rows_note(struct rows *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Members of an object: "key": value, cleaned and capped. Empty strings are left out. */
void row_text(struct buf *b, const char *key, struct str text);
void row_long(struct buf *b, const char *key, struct str text, size_t max_bytes);
void row_number(struct buf *b, const char *key, double value);
/* Where the next page begins, when there is one. */
void row_next(struct buf *b, uint64_t total, uint64_t next);
/* An object of strings (labels), at most max_bytes of it. */
void row_labels(struct buf *b, const char *key, const json_t *labels, size_t max_bytes);

#endif
