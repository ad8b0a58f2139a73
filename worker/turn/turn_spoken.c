/* The calls of a reply. Models that are told of tools in the API's own way and write a call as text
 * all the same: only what could be called is one, a tool that was offered, with arguments that fit
 * it. */
#include "worker/turn/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"

static bool offered(const struct reply *r, const char *name)
{
    scoped_buf(line, 256);
    buf_printf(&line, "\n%s\n", name);
    return !line.overflowed && r->tool_names.len > 0 &&
           memmem(r->tool_names.at, r->tool_names.len, line.at, line.len) != NULL;
}

enum err turn_take_spoken(struct turn *t, struct reply *r)
{
    struct textcalls c;
    enum err err = ERR_NONE;
    textcalls_read(&c, buf_str(&r->content));
    bool fit = c.count > 0;
    for (unsigned i = 0; i < c.count; i++)
        fit = fit && offered(r, c.all[i].tool_name) &&
              tools_takes(t->config->tools, str_of(c.all[i].tool_name), str_of(c.all[i].arguments));
    if (fit) {
        log_info("turn.call_as_text", "turn=%s calls=%u", id_log(t->id), c.count);
        err = reply_called(r, &c);
    }
    textcalls_free(&c);
    return err;
}

void turn_keep_offered(struct turn *t)
{
    if (!t->llm)
        return;
    free(t->offered);
    t->offered = str_dup(buf_str(&llm_reply(t->llm)->tool_names));
}

bool turn_lacks(void *turn, enum tool_source source)
{
    const struct turn *t = turn;
    return tools_lacks(t->config->tools, t->token, (const char *const *)t->context.datasources,
                       t->context.datasource_count, source);
}

/* Decisions are told apart by the call's id: one that the person was asked about before in this
 * turn gets another. */
void turn_distinguish(struct turn *t, struct reply *r)
{
    for (unsigned i = 0; i < r->call_count; i++) {
        struct reply_call *c = &r->calls[i];
        char other[32];
        if (!approval_asked(&t->approval, str_of(c->call_id)))
            continue;
        snprintf(other, sizeof(other), "call_again_%u_%u", t->agent.step, i);
        free(c->call_id);
        c->call_id = xstrdup(other);
    }
}
