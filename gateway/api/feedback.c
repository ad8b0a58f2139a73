/* gateway/api/feedback.c: what people think of answers, counted by model. */
#include <stdio.h>
#include <string.h>
#include "common/json.h"
#include "common/map.h"
#include "gateway/api/call.h"
#include "proto/store/feedback.h"
#include "proto/store/tally.h"

enum {
    COMMENT_BYTES_MAX = 4000,
    MODELS_MAX = 100,     /* counted by themselves; the others together: their names are told */
    MODEL_NAME_MAX = 100, /* a longer one, or one with other letters, is among the others */
};

static void on_said(void *arg, enum err err, const struct store_answer *a);
static struct metric *metric_of(struct str model, int sentiment);

static void say(struct call *c, int sentiment, struct str comment)
{
    static int said[] = {-1, 0, 1};
    c->data = &said[sentiment + 1];
    c->store_call = store_feedback_set(c->gateway->store, str_of(c->user), c->session, c->message,
                                       sentiment, comment, on_said, c);
}

void api_feedback_put(struct call *c)
{
    json_t *sentiment = json_object_get(c->body, "sentiment");
    double value = json_number_value(sentiment);
    struct str comment;
    if (value != 1 && value != -1)
        call_fail(c, ERR_INVALID, "sentiment is 1 or -1");
    else if (call_text(c, "comment", COMMENT_BYTES_MAX, &comment))
        say(c, value > 0 ? 1 : -1, comment);
}

void api_feedback_delete(struct call *c) { say(c, 0, STR("")); }

static void on_said(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    int now = *(const int *)c->data;
    c->store_call = 0;
    if (err) {
        call_fail(c, err, err == ERR_INVALID ? "Only an answer can be rated" : NULL);
        return;
    }
    if (now != a->sentiment)
        tally_note(c->gateway->store, str_of(c->user), a->model,
                   &(struct tally){.good = (now > 0) - (a->sentiment > 0),
                                   .bad = (now < 0) - (a->sentiment < 0)});
    if (now != 0 && now != a->sentiment)
        metric_add(metric_of(a->model, now), 1);
    call_reply(c, 200, STR("{\"response\":\"ok\"}"));
}

/* ---- counting ---- */

/* A label of Prometheus's text, without escapes. */
static bool is_plain(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] <= ' ' || name.at[i] >= 0x7f || strchr("\"\\", name.at[i]))
            return false;
    return name.len > 0 && name.len <= MODEL_NAME_MAX;
}

static struct metric *metric_of(struct str model, int sentiment)
{
    static struct map *models, *metrics; /* labels → its metric; all are for good */
    char labels[MODEL_NAME_MAX + 64];
    if (!models) {
        models = map_new();
        metrics = map_new();
    }
    if (is_plain(model) && (map_get(models, model) || map_size(models) < MODELS_MAX))
        map_put(models, model, models);
    else
        model = STR("other");
    snprintf(labels, sizeof(labels), "model=\"%.*s\",sentiment=\"%s\"", (int)model.len, model.at,
             sentiment > 0 ? "up" : "down");
    struct metric *m = map_get(metrics, str_of(labels));
    if (!m) {
        m = metric_new(METRIC_COUNTER, "persai_feedback_total", xstrdup(labels),
                       "What people said of answers, by model");
        map_put(metrics, str_of(labels), m);
    }
    return m;
}
