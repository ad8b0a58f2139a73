#include "proto/store/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "proto/store/call.h"
#include "proto/store/index.h"
#include "proto/store/key.h"
#include "proto/store/reply.h"

/* The list of an owner's sessions, searched and paged. It is an index outside the sessions' keys: a
 * page is read from it, then each session is asked, and where both disagree the index is mended. */
enum {
    LIST_MAX = 200,
    LIST_WINDOW = 16,           /* sessions of a list that are asked for at once */
    SEARCH_PAGE = 32,           /* sessions of the index, searched one after the other */
    SEARCH_SESSIONS_MAX = 2048, /* in one call; then the caller gets a cursor to go on from */
    SEARCH_BYTES_A_SCRIPT = 128 << 10, /* about a ms of Redis's time, which others wait for */
    WORDS_MAX = 16,
    QUERY_BYTES_MAX = 1024,
    INDEX_GRACE_MS = 60 * 1000, /* a listed session that is not there may be on its way */
};

struct place { /* in the index: newest first, then by id, descending */
    int64_t updated_ms;
    char session[ID_TEXT + 1];
};
struct candidate {
    struct place place;
    struct id session;
    bool hit;
    struct store_session found;
    char *texts; /* what found's slices point into */
};
struct listing {
    struct buf query;
    struct str words[WORDS_MAX];
    unsigned word_count, limit, scanned, offset;
    bool bounded;
    struct place bound; /* go on behind this one */
    struct candidate *page;
    unsigned found;            /* of a search: hits of this page so far */
    unsigned page_count, next; /* next: of a search, the candidate to look at */
    bool page_full, kept;
    struct store_session *hits;
    char **hit_texts;
    unsigned hit_count;
    struct place last_hit;
    char cursor[64];
};

static void page_free(struct listing *w)
{
    for (unsigned i = 0; i < w->page_count; i++)
        free(w->page[i].texts);
    free(w->page);
    w->page = NULL;
    w->page_count = 0;
}

static void listing_free(void *own)
{
    struct listing *w = own;
    page_free(w);
    for (unsigned i = 0; i < w->hit_count; i++)
        free(w->hit_texts[i]);
    free(w->hit_texts);
    free(w->hits);
    buf_free(&w->query);
    free(w);
}

/* A session that outlives the reply it was read from: its texts are copied behind each other. */
static void session_keep(const struct store_session *from, struct store_session *to, char **texts)
{
    struct str *slices[] = {&to->owner, &to->title, &to->model, &to->settings, &to->snippet};
    unsigned count = sizeof(slices) / sizeof(slices[0]);
    size_t len = 0;
    *to = *from;
    to->running_approvals = (struct str){0}; /* lists don't show them */
    for (unsigned i = 0; i < count; i++)
        len += slices[i]->len;
    char *at = *texts = xmalloc(len + 1);
    for (unsigned i = 0; i < count; i++) {
        if (slices[i]->len > 0)
            memcpy(at, slices[i]->at, slices[i]->len);
        slices[i]->at = at;
        at += slices[i]->len;
    }
}

/* ---- one page of the index ---- */
static void read_page(struct store_call *c);
static void read_candidate(struct store_call *c, unsigned i, int64_t from_message);
static void search_next(struct store_call *c);
static void list_next(struct store_call *c);

static void list_end(struct store_call *c, bool more, const struct place *last)
{
    struct listing *w = c->own;
    struct store_answer answer = {.sessions = w->hits, .session_count = w->hit_count, .more = more};
    if (more) {
        snprintf(w->cursor, sizeof(w->cursor), "%lld-%s", (long long)last->updated_ms,
                 last->session);
        answer.cursor = str_of(w->cursor);
    }
    store_call_end(c, ERR_NONE, &answer);
}

/* All of the page have answered: take the hits in order, then go on or end. */
static void page_end(struct store_call *c)
{
    struct listing *w = c->own;
    if (c->waiting > 0)
        return;
    for (unsigned i = 0; i < w->page_count; i++) {
        struct candidate *d = &w->page[i];
        if (!d->hit)
            continue;
        if (w->hit_count == w->limit) {
            list_end(c, true, &w->last_hit);
            return;
        }
        /* Only what is given out: one behind the page must not move across its end. */
        if (d->found.updated_ms != d->place.updated_ms)
            index_owner_set(c->store, buf_str(&c->owner), d->session, d->found.updated_ms);
        w->hits[w->hit_count] = d->found;
        w->hit_texts[w->hit_count++] = d->texts;
        d->texts = NULL;
        w->last_hit = d->place;
    }
    w->scanned += w->page_count;
    w->found = 0;
    bool full = w->page_full;
    page_free(w);
    if (!full)
        list_end(c, false, NULL);
    else if (w->scanned >= SEARCH_SESSIONS_MAX)
        list_end(c, true, &w->bound);
    else
        read_page(c);
}

static bool behind(const struct listing *w, const struct place *p)
{
    return !w->bounded || p->updated_ms < w->bound.updated_ms ||
           (p->updated_ms == w->bound.updated_ms && strcmp(p->session, w->bound.session) < 0);
}

static void on_page(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)err;
    struct listing *w = c->own;
    unsigned pairs = redis_count(reply) / 2;
    w->page = xcalloc(pairs + 1, sizeof(*w->page));
    w->page_full = !w->kept && pairs >= cmd->tag;
    for (unsigned i = 0; i < pairs; i++) {
        struct candidate *d = &w->page[w->page_count];
        unsigned at = 2 * (w->kept ? pairs - 1 - i : i); /* newest first */
        if (!id_parse(redis_text(redis_at(reply, at)), &d->session))
            continue;
        id_text(d->session, d->place.session);
        d->place.updated_ms = redis_int(redis_at(reply, at + 1));
        if (behind(w, &d->place))
            w->page_count++;
    }
    /* All of a full page share the bound's time and lie before it: look further down. */
    w->offset = w->page_count == 0 ? w->offset + pairs : 0;
    if (w->page_count > 0) {
        w->bound = w->page[w->page_count - 1].place;
        w->bounded = true;
    }
    w->next = 0;
    if (w->word_count >
        0) { /* one at a time: a search is long, and others' commands come between */
        search_next(c);
        return;
    }
    list_next(c);
}

/* Some at a time: others' commands come between. */
static void list_next(struct store_call *c)
{
    struct listing *w = c->own;
    while (w->next < w->page_count && c->waiting < LIST_WINDOW)
        read_candidate(c, w->next++, 0);
    page_end(c);
}

static void search_next(struct store_call *c)
{
    struct listing *w = c->own;
    if (w->next < w->page_count && w->hit_count + w->found <= w->limit)
        read_candidate(c, w->next++, 0);
    else
        page_end(c);
}

static void read_page(struct store_call *c)
{
    struct listing *w = c->own;
    struct store_command *cmd = command_new(c, on_page);
    cmd->tag = w->word_count > 0 ? SEARCH_PAGE : w->limit + 1;
    command_str(cmd, STR("ZREVRANGEBYSCORE"));
    command_owner_key(cmd, buf_str(&c->owner));
    if (w->bounded)
        command_num(cmd, w->bound.updated_ms);
    else
        command_str(cmd, STR("+inf"));
    command_str(cmd, STR("-inf"));
    command_str(cmd, STR("WITHSCORES"));
    command_str(cmd, STR("LIMIT"));
    command_num(cmd, w->offset);
    command_num(cmd, cmd->tag);
    command_send(cmd);
}

/* Those that are kept for good, all of them: a person marks them one by one. */
static void read_kept(struct store_call *c)
{
    struct store_command *cmd = command_new(c, on_page);
    command_str(cmd, STR("ZINTER"));
    command_num(cmd, 2);
    command_owner_key(cmd, buf_str(&c->owner));
    command_kept_key(cmd, buf_str(&c->owner));
    command_str(cmd, STR("AGGREGATE"));
    command_str(cmd, STR("MAX"));
    command_str(cmd, STR("WITHSCORES"));
    command_send(cmd);
}

/* ---- one session of it ---- */
/* p, and of a search what stands around the words: NULL elsewhere. */
static void candidate_take(struct candidate *d, const struct redisReply *p,
                           const struct redisReply *snippet)
{
    struct store_session found;
    reply_session(p, d->session, &found);
    found.snippet = snippet ? redis_text(snippet) : (struct str){0};
    session_keep(&found, &d->found, &d->texts);
    d->hit = true;
}

static void on_candidate(struct store_call *c, struct store_command *cmd, enum err err,
                         const struct redisReply *reply)
{
    struct listing *w = c->own;
    struct candidate *d = &w->page[cmd->tag];
    if (err != ERR_NONE) {
        if (loop_wall_ms() - d->place.updated_ms > INDEX_GRACE_MS)
            index_owner_remove(c->store, buf_str(&c->owner), d->session);
    } else if (w->word_count == 0) {
        candidate_take(d, redis_at(reply, 1), NULL);
    } else if (redis_int(redis_at(reply, 1)) == 1) {
        candidate_take(d, redis_at(reply, 2), redis_at(reply, 3));
        w->found++;
    } else if (redis_int(redis_at(reply, 1)) == 2) {
        read_candidate(c, cmd->tag, redis_int(redis_at(reply, 2)));
        return;
    }
    if (w->word_count > 0)
        search_next(c);
    else
        list_next(c);
}

static void read_candidate(struct store_call *c, unsigned i, int64_t from_message)
{
    struct listing *w = c->own;
    bool search = w->word_count > 0;
    struct store_command *cmd =
        command_script(c, search ? SCRIPT_session_match : SCRIPT_session_get, on_candidate);
    cmd->tag = i;
    command_session_keys(cmd, w->page[i].session);
    command_str(cmd, buf_str(&c->owner));
    if (!search)
        command_num(cmd, false); /* without settings */
    command_turn_prefix(cmd, w->page[i].session);
    if (search) {
        command_num(cmd, from_message);
        command_num(cmd, SEARCH_BYTES_A_SCRIPT);
        for (unsigned j = 0; j < w->word_count; j++)
            command_str(cmd, w->words[j]);
    }
    command_send(cmd);
}

/* ---- the call ---- */
static bool cursor_parse(struct str text, struct place *out)
{
    struct str ms;
    uint64_t n;
    struct id session;
    if (!str_split(&text, '-', &ms) || !str_u64(ms, INT64_MAX, &n) || !id_parse(text, &session))
        return false;
    out->updated_ms = (int64_t)n;
    id_text(session, out->session);
    return true;
}

/* Words of q in lower case (ASCII), into w->query. */
static bool words_parse(struct listing *w, struct str q)
{
    if (!buf_add_str(&w->query, q))
        return false;
    for (size_t i = 0; i < w->query.len; i++) {
        char *ch = &w->query.at[i];
        *ch = *ch >= 'A' && *ch <= 'Z' ? (char)(*ch - 'A' + 'a') : *ch;
        *ch = *ch == '\t' || *ch == '\n' || *ch == '\r' ? ' ' : *ch;
    }
    struct str rest = buf_str(&w->query), word;
    while (str_split(&rest, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (w->word_count == WORDS_MAX)
            return false;
        w->words[w->word_count++] = word;
    }
    return true;
}

static uint64_t list(struct store *s, struct str owner, struct str q, unsigned limit,
                     struct str cursor, bool kept, store_fn *fn, void *arg)
{
    CHECK(limit >= 1 && limit <= LIST_MAX);
    struct store_call *c = store_call_new(s, fn, arg);
    struct listing *w = c->own = xcalloc(1, sizeof(*w));
    c->own_free = listing_free;
    buf_init(&w->query, QUERY_BYTES_MAX);
    w->limit = limit;
    w->kept = kept;
    w->hits = xcalloc(limit, sizeof(*w->hits));
    w->hit_texts = xcalloc(limit, sizeof(*w->hit_texts));
    w->bounded = cursor.len > 0;
    if (!buf_add_str(&c->owner, owner) || !words_parse(w, q) ||
        (w->bounded && !cursor_parse(cursor, &w->bound)))
        return store_call_fail(c, ERR_INVALID);
    if (kept)
        read_kept(c);
    else
        read_page(c);
    return c->id;
}

uint64_t store_session_list(struct store *s, struct str owner, struct str q, unsigned limit,
                            struct str cursor, store_fn *fn, void *arg)
{
    return list(s, owner, q, limit, cursor, false, fn, arg);
}

uint64_t store_session_list_kept(struct store *s, struct str owner, unsigned limit,
                                 struct str cursor, store_fn *fn, void *arg)
{
    return list(s, owner, STR(""), limit, cursor, true, fn, arg);
}
