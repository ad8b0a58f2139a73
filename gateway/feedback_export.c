#include "gateway/feedback_export.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/json.h"
#include "common/utc.h"
#include "gateway/errand.h"
#include "proto/store/feedback.h"

enum { ONE_BYTES_MAX = 32 << 20, PAGE_MAX = 200 };

struct feedback_export {
    struct errand errand;
    struct store *store;
    struct id page[PAGE_MAX]; /* of sessions */
    unsigned count, at, from;
    uint32_t after; /* in the one at `at` */
    bool more, first;
};

static void next_page(void *arg);
static void on_page(void *arg, enum err err, const struct store_answer *a);
static void next_session(struct feedback_export *x);
static void on_rated(void *arg, enum err err, const struct store_answer *a);
static void write_one(struct buf *b, struct id session, const struct store_rated *r);
static json_t *queries_of(const struct store_rated *r, bool *logs);

int feedback_export_run(struct gateway *g)
{
    struct feedback_export x = {.store = g->store, .first = true};
    x.errand = (struct errand){.gateway = g, .begin = next_page, .arg = &x};
    int code = errand_run(&x.errand);
    if (code == 0 && (fputs(x.first ? "[]\n" : "\n]\n", stdout) < 0 || fflush(stdout) != 0)) {
        perror("persai-gateway: feedback");
        return 1;
    }
    return code;
}

static void next_page(void *arg)
{
    struct feedback_export *x = arg;
    store_rated_list(x->store, x->from, on_page, x);
}

static void on_page(void *arg, enum err err, const struct store_answer *a)
{
    struct feedback_export *x = arg;
    if (errand_failed(&x->errand, err))
        return;
    x->at = x->count = 0;
    for (unsigned i = 0; i < a->session_count && i < PAGE_MAX; i++)
        x->page[x->count++] = a->sessions[i].session;
    x->more = a->more;
    x->from += PAGE_MAX;
    next_session(x);
}

static void next_session(struct feedback_export *x)
{
    if (x->at < x->count)
        store_rated_get(x->store, x->page[x->at], x->after, on_rated, x);
    else if (x->more)
        next_page(x);
    else
        errand_end(&x->errand, 0);
}

static void on_rated(void *arg, enum err err, const struct store_answer *a)
{
    struct feedback_export *x = arg;
    if (errand_failed(&x->errand, err))
        return;
    for (unsigned i = 0; i < a->rated_count; i++) {
        scoped_buf(b, ONE_BYTES_MAX);
        buf_puts(&b, x->first ? "[\n" : ",\n");
        write_one(&b, a->session, &a->rated[i]);
        x->first = false;
        x->after = a->rated[i].message;
        fwrite(b.at, 1, b.len, stdout);
    }
    if (!a->more || a->rated_count == 0) {
        x->at++;
        x->after = 0;
    }
    next_session(x);
}

/* ---- one of them ---- */

/* half: whoever adds it to the measured ones decides that themselves. */
static void write_one(struct buf *b, struct id session, const struct store_rated *r)
{
    struct str question = {0}, model = {0};
    char id[ID_TEXT + 1], at[UTC_TEXT_MAX];
    id_text(session, id);
    utc_write(r->at_ms, UTC_MILLISECONDS, at);
    for (unsigned i = 0; i < r->message_count; i++) {
        const struct record_message *m = &r->messages[i].record;
        if (m->role == ROLE_USER)
            question = m->content;
        if (m->role == ROLE_ASSISTANT)
            model = m->model;
    }
    buf_printf(b, "{\"id\":\"feedback-%.8s-%u\"", id, r->message);
    json_field(b, "question", question);
    json_field(b, "search", question);
    json_key(b, r->sentiment > 0 ? "accepted" : "rejected");
    bool logs = false;
    json_auto_t *queries = queries_of(r, &logs);
    char *list = json_dumps(queries, JSON_COMPACT);
    buf_puts(b, list);
    free(list);
    if (r->sentiment < 0)
        buf_puts(b, ",\"accepted\":[]");
    if (logs)
        json_field(b, "world", STR("loki"));
    json_field(b, "half", STR("tuned"));
    json_key(b, "sentiment");
    buf_printf(b, "%d", r->sentiment);
    json_field(b, "comment", r->comment);
    json_field(b, "model", model);
    json_field(b, "at", str_of(at));
    buf_putc(b, '}');
}

/* Those that the answer rests on, the last first; each once. What failed, and what was searched for
 * elsewhere (documents, say), is none of a datasource's. logs: the last one is of logs. */
static json_t *queries_of(const struct store_rated *r, bool *logs)
{
    json_t *queries = json_array();
    for (unsigned i = r->message_count; i-- > 0;) {
        const struct record_message *m = &r->messages[i].record;
        for (unsigned j = m->response_count; j-- > 0;) {
            const struct record_response *one = &m->responses[j];
            struct str text = one->content;
            if (one->failed || one->datasource.len == 0 || text.len == 0)
                continue;
            json_auto_t *result = json_loadb(text.at, text.len, 0, NULL);
            json_t *query = json_object_get(result, "query");
            bool known = !json_is_string(query);
            for (size_t k = 0; k < json_array_size(queries); k++)
                known = known || json_equal(json_array_get(queries, k), query);
            if (known)
                continue;
            if (json_array_size(queries) == 0)
                *logs = str_starts(json_text(json_object_get(result, "kind")), STR("log"));
            json_array_append(queries, query);
        }
    }
    return queries;
}
