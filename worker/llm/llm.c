#include "worker/llm/llm.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sodium.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/store/quota.h"
#include "proto/traced.h"
#include "worker/breaker.h"
#include "worker/llm/hide_key.h"
#include "worker/llm/intake.h"
#include "worker/llm/jsontools.h"
#include "worker/llm/learned.h"
#include "worker/llm/llm_trace.h"
#include "worker/llm/wait.h"

enum {
    CALL_MAGIC = 0x11c4a110,
    EVENT_BYTES_MAX = 1 << 20,
    END_GRACE_MS = 100,   /* after the reply's end, for the connection to become free for another */
    STOP_GRACE_MS = 3000, /* after a stop reason, for usage and the end */
    FALLBACK_WAIT_MS = 2000, /* longer is not waited when there is another model */
    PAUSE_MS_MAX = 30000,    /* for a provider that is not well */
    LEARN_MAX = 8,           /* of one call: requests that are mended and sent again at once */
    REFUSED_MAX = 100,       /* 429 that are no tries: others use the same key */
    REFUSED_FIRST = 3,       /* of one call; more tell of it, not of the key */
    ERROR_BODY_MS = 1000,    /* for what a refusal says: it is told within 2 s */
};

struct llm {
    struct llm_config config;
    struct breaker *breakers; /* one for each account */
    struct shelf *shelf;      /* of requests' bodies */
    struct reply_room room;   /* of all replies */
    struct llm_stats stats;
};

/* ASKING, IN_LINE: for its quota, and until it may ask again. HELD: it has one, but was told when
 * to ask. FETCHING: a request runs. WAITING: for the next try. ENDING: the reply is whole, the
 * response not quite. OVER: on_done was called. */
enum call_state {
    CALL_ASKING,
    CALL_IN_LINE,
    CALL_HELD,
    CALL_FETCHING,
    CALL_WAITING,
    CALL_ENDING,
    CALL_OVER
};

struct llm_call {
    unsigned magic;
    enum call_state state;
    struct llm *llm;
    const struct llm_format *format;
    const struct model *model;
    struct llm_handler handler;
    void *arg;
    struct id turn;
    struct llm_trace trace;
    struct secret *token;
    struct llm_quota quota;
    uint64_t prompt_tokens, output_tokens_max, owner; /* owner: as the breaker takes him */
    struct usage used;                                /* by tries that are over */
    int64_t line_ms;  /* since when it waits for the key; 0: it does not */
    int64_t told_ms;  /* until when it waits, as was told; 0: nothing was */
    int64_t asked_ms; /* not before, as the provider said; 0: it said nothing */
    bool has_fallback, json_tools;
    bool again;       /* it was at the provider before, in this attempt or in one before */
    unsigned learned; /* requests that were mended as the server's refusal said */
    uint32_t step, tries,
        refused;           /* refused: tries that met the key's limit, which are no faults */
    struct mask mask;      /* what is not said to the provider */
    struct llm_wire *wire; /* kept for another try until the reply begins; then NULL */
    struct reply reply;
    struct intake intake;
    struct buf body; /* of an answer that may be no stream */
    struct fetch *fetch;
    struct loop_timer *timer; /* NULL: not needed yet, as of most calls until their end */
    int http_status;
    bool is_stream;
    enum err err; /* of the stream, noted while inside fetch's callback */
};

static void know_tools(struct llm_call *c, const struct llm_request *r);
static void begin_try(struct llm_call *c);
static void ask_quota(struct llm_call *c);
static void begin_fetch(struct llm_call *c);
static void on_quota(void *arg, const struct llm_quota_answer *a);
static void note_end(struct llm_call *c, enum err err, int64_t block_ms);
static bool is_body(const struct llm_call *c);
static void on_head(void *arg, int http_status);
static void on_data(void *arg, struct str bytes);
static void on_fetched(void *arg, const struct fetch_result *r);
static bool on_event(void *arg, struct str name, struct str data);
static enum err judge(struct llm_call *c, const struct fetch_result *r);
static enum err judge_body(struct llm_call *c);
static bool ask_anew(struct llm_call *c, enum err err);
static void log_words(struct llm_call *c);
static bool met_limit(const struct llm_call *c);
static int64_t block_ms(const struct llm_call *c, enum err err);
static int64_t backoff(const struct llm_call *c, uint32_t tries);
static int64_t patience_ms(const struct llm_call *c, bool limited);
static void fail_for_long(struct llm_call *c, enum err err, bool limited, int64_t pause_ms);
static void tell_wait(struct llm_call *c, int64_t wait_ms);
static bool wait_for_retry(struct llm_call *c, enum err err);
static void wait_for_key(struct llm_call *c, int64_t wait_ms);
static int64_t pause_asked(const struct llm_call *c, bool limited);
static void wake_in(struct llm_call *c, int64_t ms);
static void on_timer(void *arg);
static void finish(struct llm_call *c, enum err err);
static void end_trace(struct llm_call *c, enum err err);
static enum err write_wire(struct llm_call *c, const struct llm_request *r);

static const struct llm_format *const formats[] = {
#define X(name, word) [API_##name] = &llm_##word,
    MODEL_APIS(X)
#undef X
};

struct llm *llm_new(const struct llm_config *c)
{
    struct llm *l = xcalloc(1, sizeof(*l));
    l->config = *c;
    l->breakers = xcalloc(c->accounts + 1, sizeof(*l->breakers));
    l->shelf = shelf_new();
    reply_room_init(&l->room, c->reply_bytes_max);
    return l;
}

void llm_free(struct llm *l)
{
    if (!l)
        return;
    free(l->breakers);
    shelf_free(l->shelf);
    reply_room_free(&l->room);
    free(l);
}

void llm_stats_get(const struct llm *l, struct llm_stats *out) { *out = l->stats; }

enum err llm_call_start(struct llm *l, const struct llm_request *r, const struct llm_handler *h,
                        void *arg, struct llm_call **out)
{
    struct llm_call *c = xcalloc(1, sizeof(*c));
    c->magic = CALL_MAGIC;
    c->llm = l;
    c->format = formats[r->model->api];
    c->model = r->model;
    c->handler = *h;
    c->arg = arg;
    c->turn = r->turn;
    c->step = r->step;
    c->token = r->token && r->model->by_perses ? secret_ref(r->token) : NULL;
    c->has_fallback = r->has_fallback;
    c->owner = breaker_owner(r->owner);
    c->again = r->attempts_before > 0;
    c->prompt_tokens = r->prompt->tokens;
    learned_age(r->model, loop_now_ms(l->config.loop));
    c->output_tokens_max = llm_output_max(r);
    llm_quota_init(&c->quota, l->config.quotas, r->model, r->owner, r->turn, on_quota, c);
    static const struct reply_handler nobody; /* is told of JSON: see jsontools.h */
    c->json_tools = r->model->json_tools;
    reply_init(&c->reply, l->config.reply_bytes_max, c->json_tools ? &nobody : &c->handler.reply,
               arg);
    reply_lend(&c->reply, &l->room);
    c->reply.step = r->step;
    c->reply.learns = c->model->learned && !c->json_tools;
    if (c->model->thinks_first || (c->model->learned && c->model->learned->thinks_first))
        reply_thinks_first(&c->reply);
    mask_init(&c->mask, l->config.redact, r->conversation);
    if (l->config.redact && !c->json_tools)
        c->reply.mask = &c->mask;
    know_tools(c, r);
    intake_init(&c->intake, EVENT_BYTES_MAX, on_event, c);
    buf_init(&c->body, EVENT_BYTES_MAX);
    c->wire = llm_wire_new(l->shelf);
    enum err err = write_wire(c, r);
    if (err != ERR_NONE) {
        llm_call_free(c);
        return err;
    }
    l->stats.calls++;
    llm_trace_begin(&c->trace, l->config.otlp, &r->trace, l->config.capture ? r->prompt : NULL);
    if (r->attempts_before > 0) {
        c->state = CALL_WAITING;
        wake_in(c, backoff(c, r->attempts_before));
    } else {
        begin_try(c);
    }
    *out = c;
    return ERR_NONE;
}

/* Kept as long as the reply lasts: in no more memory than it takes. */
static void know_tools(struct llm_call *c, const struct llm_request *r)
{
    size_t len = 1;
    for (unsigned i = 0; i < r->tool_count; i++)
        len += strlen(r->tools[i].name) + 1;
    if (r->tool_count > 0)
        buf_reserve(&c->reply.tool_names, len);
    for (unsigned i = 0; i < r->tool_count; i++)
        reply_know_tool(&c->reply, r->tools[i].name);
}

void llm_call_free(struct llm_call *c)
{
    if (!c)
        return;
    MAGIC_CHECK(c, CALL_MAGIC);
    c->magic = 0;
    if (c->state == CALL_FETCHING || c->state == CALL_ENDING)
        note_end(c, ERR_CANCELLED, 0);
    if (c->state == CALL_HELD)
        llm_quota_end(&c->quota, 0, 0, 0, 0);
    end_trace(c, ERR_CANCELLED);
    llm_quota_free(&c->quota);
    fetch_cancel(c->fetch);
    loop_timer_free(c->timer);
    intake_free(&c->intake);
    reply_free(&c->reply);
    mask_free(&c->mask);
    buf_free(&c->body);
    llm_wire_free(c->wire);
    secret_free(c->token);
    free(c);
}

static enum err write_json_tools(struct llm_call *c, const struct llm_request *r)
{
    struct jsontools j;
    struct llm_request plain = *r;
    jsontools_write(r->prompt, r->tools, r->tool_count, r->form, r->model->small, &j);
    plain.prompt = &j.prompt;
    plain.tool_count = 0;
    plain.schema = buf_str(&j.schema);
    bool fits = !j.texts.overflowed && !j.schema.overflowed && !j.prompt.system.overflowed;
    enum err err = fits ? c->format->request(&plain, c->wire) : ERR_CONTEXT_TOO_LONG;
    jsontools_free(&j);
    return err;
}

/* The reply is whole, unless it is not. */
static enum err end_reply(struct llm_call *c)
{
    enum err err = reply_end(&c->reply, c->step);
    if (err != ERR_NONE || !c->json_tools)
        return err;
    if (c->mask.rules)
        c->reply.mask = &c->mask; /* not before: a value could break the JSON that is around it */
    err = jsontools_read(&c->reply, &c->handler.reply);
    return err != ERR_NONE ? err : reply_end(&c->reply, c->step);
}

/* The format's request, and what the model's settings add to it. */
static enum err write_wire(struct llm_call *c, const struct llm_request *r)
{
    const struct model *m = r->model;
    struct llm_wire *w = c->wire;
    if (m->by_perses)
        buf_add_str(&w->url, str_trim_slashes(str_of(c->llm->config.perses_url)));
    enum err err = c->json_tools ? write_json_tools(c, r) : c->format->request(r, w);
    learned_apply(m, &w->body);
    llm_wire_hide(w, &c->mask);
    if (m->query)
        buf_printf(&w->url, "%s%s", memchr(w->url.at, '?', w->url.len) ? "&" : "?", m->query);
    for (unsigned i = 0; i < m->header_count; i++)
        llm_header(w, m->headers[i].name, m->headers[i].value);
    if (m->key_header) {
        w->secret_header = m->key_header;
        w->bearer = NULL;
    }
    if (m->by_perses)
        w->bearer = c->token;
    if (err == ERR_NONE && w->body.overflowed)
        err = ERR_CONTEXT_TOO_LONG;
    if (err == ERR_NONE)
        llm_wire_shelve(w);
    return err != ERR_NONE ? err : w->url.overflowed ? ERR_INTERNAL : ERR_NONE;
}

uint32_t llm_output_max(const struct llm_request *r)
{
    uint32_t most = learned_output_max(r->model, r->model->output_tokens_max);
    bool less = r->output_tokens_max > 0 && r->output_tokens_max < most && !r->model->options;
    return less ? r->output_tokens_max : most;
}

static void drop_wire(struct llm_call *c)
{
    llm_wire_free(c->wire);
    c->wire = NULL;
}

struct reply *llm_reply(struct llm_call *c) { return &c->reply; }

bool llm_call_unauthorized(const struct llm_call *c)
{
    return c->token != NULL && c->http_status == 401;
}

int llm_call_http_status(const struct llm_call *c) { return c->http_status; }

void llm_call_hold(struct llm_call *c)
{
    llm_quota_hold(&c->quota, loop_now_ms(c->llm->config.loop));
}

bool llm_call_in_line(const struct llm_call *c)
{
    return c->state == CALL_ASKING || c->state == CALL_IN_LINE || c->state == CALL_HELD;
}

static struct breaker *breaker_of(struct llm_call *c)
{
    CHECK(c->model->account <= c->llm->config.accounts);
    return &c->llm->breakers[c->model->account];
}

/* Ends the call with what reply_fail said, but not from inside of who asked for it. */
static void fail_soon(struct llm_call *c, enum err err)
{
    c->err = err;
    c->state = CALL_ENDING;
    wake_in(c, 0);
}

static void begin_try(struct llm_call *c)
{
    const struct llm_config *config = &c->llm->config;
    loop_timer_stop(c->timer);
    c->tries++;
    int64_t wait_ms = breaker_wait_ms(breaker_of(c), c->owner, loop_now_ms(config->loop));
    if (wait_ms > 0 && (c->has_fallback || c->tries >= config->tries_max)) {
        fail_soon(c, reply_fail(&c->reply, ERR_MODEL_UNAVAILABLE, false,
                                "The model's provider has not answered for a while; it is asked "
                                "again in %lld s",
                                (long long)(wait_ms + 999) / 1000));
    } else if (wait_ms > 0) {
        c->state = CALL_WAITING;
        wake_in(c, wait_ms);
    } else if (config->quotas) {
        ask_quota(c);
    } else {
        begin_fetch(c);
    }
}

static void ask_quota(struct llm_call *c)
{
    c->state = CALL_ASKING;
    llm_quota_begin(&c->quota, c->prompt_tokens, c->output_tokens_max,
                    c->again && c->refused <= REFUSED_FIRST, patience_ms(c, true));
}

static void on_quota(void *arg, const struct llm_quota_answer *a)
{
    struct llm_call *c = arg;
    MAGIC_CHECK(c, CALL_MAGIC);
    int64_t now_ms = loop_now_ms(c->llm->config.loop);
    switch (a->verdict) {
    case LLM_QUOTA_GO:
        if (a->unknown && now_ms < c->asked_ms) {
            c->state = CALL_HELD;
            wake_in(c, c->asked_ms - now_ms);
        } else {
            begin_fetch(c);
        }
        return;
    case LLM_QUOTA_WAIT:
        tell_wait(c, a->wait_ms);
        c->state = CALL_IN_LINE;
        wake_in(c, a->wait_ms < QUOTA_ASK_AGAIN_MS ? a->wait_ms : QUOTA_ASK_AGAIN_MS);
        return;
    case LLM_QUOTA_OVER:
        fail_soon(c, reply_fail(&c->reply, a->why, false, "%s", a->detail));
        return;
    }
}

/* What the provider said; else our estimate. spent: it had begun to work. */
static struct usage try_used(const struct llm_call *c, bool spent)
{
    const struct reply *r = &c->reply;
    uint64_t input = r->input_known ? r->input_tokens : spent ? c->prompt_tokens : 0;
    uint64_t output =
        r->output_known ? r->output_tokens : token_estimate_tokens(c->model->estimate, r->bytes);
    return model_usage(c->model, input, output, r->cached_tokens);
}

struct usage llm_call_used(struct llm_call *c)
{
    struct usage u = c->used, now = {0};
    c->used = now;
    if (c->fetch)
        now = try_used(c, true);
    usage_add(&u, &now);
    return u;
}

/* A try is over: who keeps count is told, the budgets, the key, the breaker. */
static void note_end(struct llm_call *c, enum err err, int64_t block_ms)
{
    const struct reply *r = &c->reply;
    bool answered = c->http_status > 0 && c->http_status < 500;
    if (reply_came(r, err) || (answered && c->http_status != 200))
        breaker_succeeded(breaker_of(c)); /* it is there, even if it refuses */
    else if (err != ERR_CANCELLED)
        breaker_failed(breaker_of(c), c->owner, loop_now_ms(c->llm->config.loop));
    bool spent = c->http_status == 200 || err == ERR_CANCELLED;
    struct usage used = try_used(c, spent);
    usage_add(&c->used, &used);
    llm_quota_end(&c->quota, used.input_tokens, used.output_tokens, used.cached_tokens, block_ms);
}

static void begin_fetch(struct llm_call *c)
{
    static const struct fetch_handler handler = {on_head, on_data, on_fetched};
    const struct llm_config *config = &c->llm->config;
    struct fetch_header headers[LLM_HEADERS_MAX + 3] = {
        {"Content-Type", STR("application/json")},
        {"Accept", STR("text/event-stream")},
    };
    unsigned count = 2;
    for (unsigned i = 0; i < c->wire->header_count; i++)
        headers[count++] = c->wire->headers[i];
    if (c->trace.header[0])
        headers[count++] = (struct fetch_header){"traceparent", str_of(c->trace.header)};
    c->state = CALL_FETCHING;
    c->again = true;
    c->http_status = 0;
    c->is_stream = false;
    c->err = ERR_NONE;
    c->reply.refusal = (struct llm_error){0};
    buf_clear(&c->body);
    intake_free(&c->intake);
    intake_init(&c->intake, EVENT_BYTES_MAX, on_event, c);
    struct fetch_request r = {
        .method = "POST",
        .url = buf_cstr(&c->wire->url),
        .headers = headers,
        .header_count = count,
        .bearer = c->wire->bearer,
        .secret_header = c->model->key ? c->wire->secret_header : NULL,
        .secret_value = c->model->key,
        .shelved = c->wire->shelved,
        .connect_ms = config->connect_ms,
        .idle_ms = config->idle_ms,
        .total_ms = config->total_ms,
        .body_bytes_max = UINT64_C(256)
                          << 20,           /* the reply has its own bound; this is for comments */
        .use_proxy = !c->model->by_perses, /* the others leave the deployment */
    };
    c->fetch = fetch_start(config->fetches, &r, &handler, c);
}

/* Servers that stream under another content type, or don't, are taken at their bytes. */
static void on_head(void *arg, int http_status)
{
    struct llm_call *c = arg;
    MAGIC_CHECK(c, CALL_MAGIC);
    struct str type = fetch_response_header(c->fetch, "content-type");
    c->http_status = http_status / 100 == 2 ? 200 : http_status; /* 201 of NestJS, 203, … */
    c->is_stream =
        c->http_status == 200 && !(type.len >= 9 && !strncasecmp(type.at, "text/html", 9));
    if (c->http_status != 200)
        wake_in(c, ERROR_BODY_MS);
}

/* Of what may be no stream. */
static void keep_body(struct llm_call *c, struct str bytes)
{
    if (!is_body(c)) {
        buf_free(&c->body);
        return;
    }
    size_t room = c->http_status == 200 ? EVENT_BYTES_MAX : LLM_ERROR_BODY_MAX;
    if (c->body.len < room)
        buf_add(&c->body, bytes.at,
                bytes.len < room - c->body.len ? bytes.len : room - c->body.len);
}

static void on_data(void *arg, struct str bytes)
{
    struct llm_call *c = arg;
    MAGIC_CHECK(c, CALL_MAGIC);
    if (c->state != CALL_FETCHING)
        return; /* what follows the end */
    keep_body(c, bytes);
    if (!c->is_stream)
        return;
    if (intake_feed(&c->intake, bytes) == SSE_TOO_BIG)
        c->err = reply_fail(&c->reply, ERR_MODEL_BROKEN, false,
                            "The model sent an event of more than %d bytes", EVENT_BYTES_MAX);
    if (c->err != ERR_NONE || c->reply.ended) { /* judged outside of fetch's callback */
        c->state = CALL_ENDING;
        wake_in(c, c->err != ERR_NONE ? 0 : END_GRACE_MS);
    } else if (c->reply.stopped && !(c->timer && loop_timer_active(c->timer))) {
        wake_in(c, STOP_GRACE_MS); /* some never send an end */
    }
    if (c->reply.began)
        llm_trace_said(&c->trace);
    if (c->reply.began)
        drop_wire(c); /* nothing is sent again from here on */
}

static bool on_event(void *arg, struct str name, struct str data)
{
    struct llm_call *c = arg;
    c->err = c->format->event(&c->reply, name, data);
    return c->err == ERR_NONE && !c->reply.ended;
}

static void on_fetched(void *arg, const struct fetch_result *r)
{
    struct llm_call *c = arg;
    MAGIC_CHECK(c, CALL_MAGIC);
    const struct fetch *ended = c->fetch;
    enum err err = judge(c, r);
    bool waits = err != ERR_NONE && (ask_anew(c, err) || wait_for_retry(c, err));
    if (!waits)
        note_end(c, err, block_ms(c, err));
    c->fetch = c->fetch == ended ? NULL : c->fetch; /* gone on return; the next may have begun */
    if (!waits)
        finish(c, err);
}

/* Nothing in it made it a stream. */
static bool is_body(const struct llm_call *c)
{
    return !c->is_stream || (c->intake.kind != INTAKE_SSE && !c->reply.began);
}

/* What has become of the request as a whole? */
static enum err judge(struct llm_call *c, const struct fetch_result *r)
{
    struct reply *reply = &c->reply;
    if (c->err == ERR_NONE && c->is_stream && !reply->ended)
        intake_end(&c->intake);
    if (c->err != ERR_NONE)
        return c->err;
    if (reply->ended || (reply->stopped && c->is_stream))
        return end_reply(c); /* whole, however its connection ended */
    switch (r->status) {
    case FETCH_REFUSED:
        return reply_fail(reply, ERR_MODEL_UNAVAILABLE, true, "The model can't be reached: %s",
                          r->error);
    case FETCH_TIMEOUT:
        if (r->http_status == 0 && r->total_ms <= c->llm->config.connect_ms + 500)
            return reply_fail(reply, ERR_MODEL_UNAVAILABLE, true, "The model can't be reached: %s",
                              r->error);
        return reply_fail(reply, ERR_MODEL_TIMEOUT, true, "The model took too long: %s", r->error);
    case FETCH_BROKEN:
        return reply_fail(reply, ERR_MODEL_BROKEN, true, "The model's answer was cut off: %s",
                          r->error);
    case FETCH_TOO_BIG:
    case FETCH_CUT:
        return reply_fail(reply, ERR_MODEL_BROKEN, false, "The model's answer was too long");
    case FETCH_OK:
        break;
    }
    return is_body(c) ? judge_body(c) : end_reply(c);
}

static enum err judge_body(struct llm_call *c)
{
    if (c->http_status / 100 == 3 && c->fetch)
        return reply_moved(&c->reply, c->http_status, fetch_response_header(c->fetch, "location"));
    enum err err = c->format->body(&c->reply, c->http_status, buf_str(&c->body));
    if (err == ERR_MODEL_REFUSED && c->model->by_perses && c->reply.refusal.kind == LLM_ERROR_AUTH)
        return reply_fail(&c->reply, err, false,
                          "The model is a datasource of Perses which you may not use, or whose key "
                          "its provider refused (status %d)",
                          c->http_status);
    return err != ERR_NONE ? err : end_reply(c);
}

/* A request that the server would take without something is sent without it: no failed try. */
static bool ask_anew(struct llm_call *c, enum err err)
{
    const char *what;
    if (err != ERR_MODEL_REFUSED || c->reply.began || c->learned == LEARN_MAX)
        return false;
    llm_wire_unshelve(c->wire);
    bool mended = learned_from(c->model, str_of(c->reply.refused_words), &c->wire->body, &what);
    llm_wire_shelve(c->wire);
    if (!mended)
        return false;
    c->learned++;
    log_info("llm.learned", "turn=%s model=%s refuses=%s", traced_log(c->turn), c->model->name,
             what);
    note_end(c, err, 0);
    reply_again(&c->reply);
    c->tries--;
    c->state = CALL_WAITING;
    wake_in(c, 0);
    return true;
}

/* What a provider says may repeat the question: it is for who looks for it. */
static void log_words(struct llm_call *c)
{
    hide_key(&c->reply, c->model->key);
    log_debug("llm.why", "turn=%s why=%s", traced_log(c->turn),
              log_text(str_of(reply_detail(&c->reply))));
}

static bool met_limit(const struct llm_call *c)
{
    return c->http_status == 429 || c->reply.refusal.kind == LLM_ERROR_THROTTLED;
}

/* Of a try that is not waited for: whoever asks next with the same key need not ask in vain. */
static int64_t block_ms(const struct llm_call *c, enum err err)
{
    return err == ERR_MODEL_UNAVAILABLE && met_limit(c) ? pause_asked(c, true) : 0;
}

/* Only before anything was told on: afterwards the step is run again as a new attempt, so that
 * clients know. */
static bool wait_for_retry(struct llm_call *c, enum err err)
{
    const struct llm_config *config = &c->llm->config;
    bool may_help = err == ERR_MODEL_UNAVAILABLE || err == ERR_MODEL_BROKEN;
    bool limited = met_limit(c);
    bool free = limited && config->quotas && c->refused < REFUSED_MAX;
    if (!may_help || !c->reply.again || c->reply.began || (c->tries >= config->tries_max && !free))
        return false;
    int64_t pause_ms = pause_asked(c, limited);
    if (pause_ms > patience_ms(c, limited)) {
        fail_for_long(c, err, limited, pause_ms);
        return false;
    }
    int64_t wait_ms = backoff(c, c->tries);
    if (wait_ms < pause_ms)
        wait_ms = pause_ms + (int64_t)randombytes_uniform((uint32_t)config->backoff_ms + 1);
    log_warn("llm.retry", "turn=%s model=%s try=%u status=%d err=%s wait_ms=%lld",
             traced_log(c->turn), c->model->name, c->tries, c->http_status, err_word(err),
             (long long)wait_ms);
    log_words(c);
    c->llm->stats.retries++;
    bool alone = limited && c->refused >= REFUSED_FIRST;
    if (alone)
        wait_ms += backoff(c, c->refused);
    note_end(c, err, alone ? LLM_QUOTA_NO_WORD : limited ? wait_ms : 0);
    reply_again(&c->reply);
    if (limited) {
        wait_for_key(c, wait_ms);
    } else {
        c->state = CALL_WAITING;
        wake_in(c, wait_ms);
    }
    return true;
}

/* In the key's line, at once: it is blocked for all by now, and this one is the first of them. One
 * that is refused again and again waits by itself, and then behind others. */
static void wait_for_key(struct llm_call *c, int64_t wait_ms)
{
    const struct llm_config *config = &c->llm->config;
    tell_wait(c, wait_ms);
    c->asked_ms = loop_now_ms(config->loop) + wait_ms;
    if (!config->quotas || ++c->refused > REFUSED_MAX)
        c->tries++;
    if (config->quotas && c->refused <= REFUSED_FIRST) {
        loop_timer_stop(c->timer);
        ask_quota(c);
    } else {
        c->state = config->quotas ? CALL_IN_LINE : CALL_HELD;
        wake_in(c, wait_ms);
    }
}

/* As its headers or its error say; 0: they don't. */
static int64_t pause_asked(const struct llm_call *c, bool limited)
{
    int64_t ms = c->fetch ? llm_wait_asked_ms(c->fetch) : 0;
    if (ms < c->reply.refusal.wait_ms)
        ms = c->reply.refusal.wait_ms;
    if (ms == 0)
        ms = llm_wait_parse(str_trim(str_of(c->reply.refused_till)), loop_wall_ms());
    if (ms == 0)
        ms = llm_wait_said(str_of(c->reply.refused_words), loop_wall_ms());
    return ms == 0 && c->fetch && limited ? llm_wait_reset_ms(c->fetch) : ms;
}

/* How long a pause may be. What is left for the key's line; a pause for a server that is not well
 * runs on the turn's own time. */
static int64_t patience_ms(const struct llm_call *c, bool limited)
{
    const struct llm_config *config = &c->llm->config;
    int64_t ms = config->patience_ms;
    if (!limited && ms > PAUSE_MS_MAX)
        ms = PAUSE_MS_MAX;
    if (c->has_fallback && ms > FALLBACK_WAIT_MS)
        ms = FALLBACK_WAIT_MS;
    if (limited && c->line_ms > 0)
        ms -= loop_now_ms(config->loop) - c->line_ms;
    return ms > 0 ? ms : 0;
}

static void fail_for_long(struct llm_call *c, enum err err, bool limited, int64_t pause_ms)
{
    char when[LLM_WAIT_WORDS];
    llm_wait_words(pause_ms, when);
    reply_fail(&c->reply, err, false, "The model's provider %s; it can be asked again in %s",
               limited ? "limits requests" : "is overloaded", when);
}

/* The wait before the next try, after `tries` of them: doubled each time, jittered. */
static int64_t backoff(const struct llm_call *c, uint32_t tries)
{
    int64_t most_ms = c->llm->config.backoff_ms << (tries < 10 ? tries - 1 : 9);
    return most_ms / 2 + (int64_t)randombytes_uniform((uint32_t)most_ms / 2 + 1);
}

/* What is over in a moment is not worth a word; of a wait that was told only that it is longer. */
static void tell_wait(struct llm_call *c, int64_t wait_ms)
{
    int64_t now_ms = loop_now_ms(c->llm->config.loop), till_ms = now_ms + wait_ms;
    if (c->line_ms == 0)
        c->line_ms = now_ms;
    if (!c->handler.on_wait || till_ms - c->line_ms < 1000 || till_ms < c->told_ms + 1000)
        return;
    c->told_ms = till_ms;
    c->handler.on_wait(c->arg, wait_ms);
}

static void wake_in(struct llm_call *c, int64_t ms)
{
    if (!c->timer)
        c->timer = loop_timer_new(c->llm->config.loop, on_timer, c);
    loop_timer_set(c->timer, ms, 0);
}

static void on_timer(void *arg)
{
    struct llm_call *c = arg;
    MAGIC_CHECK(c, CALL_MAGIC);
    switch (c->state) {
    case CALL_WAITING:
        begin_try(c);
        return;
    case CALL_IN_LINE:
        ask_quota(c);
        return;
    case CALL_HELD:
        begin_fetch(c);
        return;
    case CALL_FETCHING:
    case CALL_ENDING: {
        enum err err = c->err != ERR_NONE                  ? c->err
                       : c->fetch && c->http_status != 200 ? judge_body(c)
                                                           : end_reply(c);
        struct fetch *ended = c->fetch;
        bool waits = err != ERR_NONE && (ask_anew(c, err) || wait_for_retry(c, err));
        if (ended && !waits)
            note_end(c, err, block_ms(c, err));
        fetch_cancel(ended);
        c->fetch = c->fetch == ended ? NULL : c->fetch;
        if (!waits)
            finish(c, err);
        return;
    }
    case CALL_ASKING:
    case CALL_OVER:
        CHECK(false && "a timer of a call that has none");
    }
}

static void end_trace(struct llm_call *c, enum err err)
{
    struct llm_trace_end end = {c->model, &c->reply,      &c->mask, c->used,
                                err,      c->http_status, c->tries};
    llm_trace_end(&c->trace, &end);
}

static void finish(struct llm_call *c, enum err err)
{
    c->state = CALL_OVER;
    learned_thoughts(c->model, &c->reply.think, err == ERR_NONE && c->reply.thinks_first);
    end_trace(c, err);
    hide_key(&c->reply, c->model->key);
    loop_timer_stop(c->timer);
    drop_wire(c);
    if (err != ERR_NONE) {
        if (!c->reply.began && err != ERR_CONTEXT_TOO_LONG)
            c->reply.again = false; /* what could help was tried here */
        c->llm->stats.failures++;
        log_warn("llm.failed", "turn=%s model=%s tries=%u status=%d err=%s", traced_log(c->turn),
                 c->model->name, c->tries, c->http_status, err_word(err));
        log_words(c);
        reply_show_detail(&c->reply, &c->mask);
    }
    c->handler.on_done(c->arg, err); /* may free c */
}
