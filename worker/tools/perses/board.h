/* worker/tools/perses/board.h: one dashboard as it is read: its panels, its variables, and those of
 * its project and of all projects where its queries name them. Inside worker/tools/perses only. */
#ifndef WORKER_TOOLS_PERSES_BOARD_H
#define WORKER_TOOLS_PERSES_BOARD_H

#include <jansson.h>
#include "worker/tools/rows.h"
#include "worker/tools/perses/vars.h"

enum { BOARD_NAME_MAX = 75, BOARD_QUERY_SHOWN = 400, BOARD_QUERY_WHOLE = 8000 };

/* What is kept while the panels of a dashboard come. */
struct board {
    struct vars vars;
    char project[BOARD_NAME_MAX + 1], name[BOARD_NAME_MAX + 1];
    struct buf display, variables;
    struct buf unknown, lacking; /* the first name without a value, and the queries with such */
    struct buf any;              /* the first whose values only its datasource knows */
    bool more;                   /* than variables holds */
    size_t query_max;
    unsigned outside; /* how many places outside of the dashboard were asked for variables */
    bool (*known)(struct rows *rows); /* the rows' `then` when one of those has answered */
    /* run_panel */
    char *query, *datasource, *query_kind;
    struct buf locals; /* names of the dashboard's own Prometheus datasources, as |a|b| */
    bool found, any_said;
    json_t *values;          /* of an open variable: an object, by value */
    struct buf label;        /* of a series, which has the value */
    struct pattern *pattern; /* of the value's part that counts; NULL: all */
    uint64_t capture_ns;     /* that it took so far */
};
struct board *board_new(struct tool_run *r);
/* The names of whose it is; what is no name is left empty. */
void board_place(struct board *d, struct str project, struct str name);
/* Says what d->any is. */
void board_note_any(struct rows *r);
/* Of a panel: its members but the braces. */
void board_panel(struct board *d, struct str id, const json_t *panel, struct buf *b);
struct str board_query_text(const json_t *query); /* in whatever language it is, else empty */
/* The datasource of a query's or a variable's spec: its name, or a variable that has it; empty: the
 * default. */
struct str board_source(const json_t *spec);

/* "/api/v1/projects/P/dashboards/D" of the arguments; without D all of P, without P of all. False:
 * the run failed. */
bool board_api(struct tool_run *r, struct buf *api, bool one);
/* Begins with the dashboard of the arguments; spec's paths begin with BOARD_PATHS and its rows are
 * written by board_row. */
void board_begin(struct tool_run *r, const struct rows_spec *spec, size_t query_max,
                 bool (*known)(struct rows *rows));
/* Asks for the dashboard (once more). */
void board_ask(struct tool_run *r, const struct rows_spec *spec, struct board *take_d);
#define BOARD_PATHS "spec/display", "spec/variables/*", "spec/panels/*"
#define BOARD_LOCALS "spec/datasources/*" /* may be the fourth */
bool board_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b);

/* What has to be known first keeps the board while its own rows end … */
struct board *board_take(struct rows *rows);
/* … and begins others with it. */
struct rows *board_rows(struct tool_run *r, const struct rows_spec *spec, struct board *take_d);
void board_free(void *extra);
/* May the text's variables be those of the project or of all projects? */
bool board_lacks(const struct board *d, struct str text);
/* Asks for the next of these; d->known goes on. */
void board_ask_outside(struct tool_run *r, struct board *take_d);

#endif
