#include "proto/store/share.h"

#include <stdlib.h>
#include "proto/store/call.h"
#include "proto/store/index.h"
#include "proto/store/key.h"

static void on_reports(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply);
static void on_report(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply);
static void reports_free(void *own);

static void on_shared(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    if (err == ERR_NONE && cmd->tag)
        index_report_add(c->store, c->session);
    struct store_answer answer = {.session = c->session, .share = redis_text(redis_at(reply, 1))};
    store_call_end(c, err, &answer);
}

static uint64_t ask(struct store_call *c, struct str owner, struct str token, struct str path,
                    bool report)
{
    struct store_command *cmd = command_script(c, SCRIPT_session_share, on_shared);
    cmd->tag = report;
    command_session_key(cmd, c->session);
    command_str(cmd, owner);
    command_str(cmd, token);
    command_str(cmd, path);
    return command_send(cmd);
}

static uint64_t share(struct store_call *c, struct str owner, struct id session, struct str path,
                      bool report)
{
    char token[ID_TEXT + 1];
    c->session = session;
    id_text(id_new(), token);
    return ask(c, owner, str_of(token), path, report);
}

uint64_t store_session_share(struct store *s, struct str owner, struct id session, struct str path,
                             store_fn *fn, void *arg)
{
    return share(store_call_new(s, fn, arg), owner, session, path, false);
}

uint64_t store_report_share(struct store *s, struct str owner, struct id session, struct str path,
                            store_fn *fn, void *arg)
{
    return share(store_call_new(s, fn, arg), owner, session, path, true);
}

uint64_t store_session_unshare(struct store *s, struct str owner, struct id session, store_fn *fn,
                               void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    return ask(c, owner, STR(""), STR(""), false);
}

/* ---- reports ---- */

struct reports {
    struct store_session at[STORE_REPORTS_MAX];
    char *texts[3 * STORE_REPORTS_MAX]; /* what these borrow */
    unsigned count;
};

static void reports_free(void *own)
{
    struct reports *r = own;
    for (unsigned i = 0; i < 3 * STORE_REPORTS_MAX; i++)
        free(r->texts[i]);
    free(r);
}

uint64_t store_reports_list(struct store *s, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->own = xcalloc(1, sizeof(struct reports));
    c->own_free = reports_free;
    struct store_command *cmd = command_new(c, on_reports);
    command_str(cmd, STR("ZREVRANGE"));
    command_str(cmd, STR(INDEX_REPORTS));
    command_num(cmd, 0);
    command_num(cmd, STORE_REPORTS_MAX - 1);
    return command_send(cmd);
}

static void reports_end(struct store_call *c)
{
    struct reports *r = c->own;
    unsigned kept = 0;
    for (unsigned i = 0; i < r->count; i++)
        if (r->at[i].share.len > 0)
            r->at[kept++] = r->at[i];
    store_call_end(c, ERR_NONE, &(struct store_answer){.sessions = r->at, .session_count = kept});
}

static void on_reports(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct reports *r = c->own;
    for (unsigned i = 0; i < redis_count(reply) && i < STORE_REPORTS_MAX; i++) {
        struct id session;
        if (!id_parse(redis_text(redis_at(reply, i)), &session))
            continue;
        struct store_command *one = command_script(c, SCRIPT_session_report, on_report);
        one->tag = r->count;
        r->at[r->count++].session = session;
        command_session_key(one, session);
        command_send(one);
    }
    if (r->count == 0)
        reports_end(c);
}

static void on_report(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)err;
    struct reports *r = c->own;
    char **text = &r->texts[3 * cmd->tag];
    struct store_session *one = &r->at[cmd->tag];
    for (unsigned i = 0; i < 3; i++)
        text[i] = str_dup(redis_text(redis_at(reply, 1 + i)));
    one->share = str_of(text[0]);
    one->share_path = str_of(text[1]);
    one->title = str_of(text[2]);
    one->created_ms = redis_int(redis_at(reply, 4));
    if (c->waiting == 0)
        reports_end(c);
}
