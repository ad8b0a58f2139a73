#include "worker/turn/vet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/turn/tool_batch.h"

enum { REACH_BYTES_MAX = 2048, ASKS_A_CALL = 2 /* itself, and its source */ };

static void look(struct vet_call *v, const struct tool_batch_world *w,
                 const struct record_call *call);
static void on_vetted(void *arg, const struct tool_result *result);
static void find_asks(struct vet *v);
static void add_source(struct vet *v, struct vet_call *c);

bool vet_start(struct vet *v, const struct tool_batch_world *w,
               const struct record_message *assistant, vet_fn *fn, void *arg)
{
    vet_free(v);
    CHECK(assistant->call_count <= REPLY_CALLS_MAX);
    v->assistant = assistant;
    v->count = assistant->call_count;
    v->calls = xcalloc(v->count + 1, sizeof(*v->calls));
    v->asks = xcalloc(ASKS_A_CALL * v->count + 1, sizeof(*v->asks));
    v->servers = xcalloc(ASKS_A_CALL * v->count + 1, sizeof(*v->servers));
    for (unsigned i = 0; i < v->count; i++) {
        v->calls[i].vet = v;
        look(&v->calls[i], w, &assistant->calls[i]);
    }
    v->fn = fn;
    v->arg = arg;
    find_asks(v);
    return v->running > 0;
}

void vet_free(struct vet *v)
{
    for (unsigned i = 0; i < v->count; i++) {
        tool_cancel(v->calls[i].run);
        free(v->calls[i].source);
        free(v->calls[i].reach);
    }
    free(v->calls);
    free(v->asks);
    free(v->servers);
    *v = (struct vet){0};
}

static void look(struct vet_call *v, const struct tool_batch_world *w,
                 const struct record_call *call)
{
    struct str datasources[TURN_CONTEXT_DATASOURCES_MAX];
    struct tool_call c = tool_batch_tool_call(w, call, datasources);
    c.vet = true;
    if (tools_vets(w->tools, &c)) {
        v->vet->running++;
        v->run = tool_start(w->tools, &c, on_vetted, v);
    } else {
        v->asks = tools_asks(w->tools, call->tool_name, call->arguments);
    }
    scoped_buf(reach, REACH_BYTES_MAX);
    tools_reach(w->tools, call->tool_name, &reach);
    if (reach.len > 0 && !reach.overflowed)
        v->reach = str_dup(buf_str(&reach));
}

/* Who has no valid token just now is asked all the same: with a fresh one it may be done. */
static void on_vetted(void *arg, const struct tool_result *result)
{
    struct vet_call *c = arg;
    struct vet *v = c->vet;
    c->run = NULL;
    c->asks = result->ask == ASK_CALL || (result->unauthorized && result->changes);
    if (result->ask_source.len > 0)
        c->source = str_dup(result->ask_source);
    if (--v->running > 0)
        return;
    find_asks(v);
    v->fn(v->arg);
}

static void find_asks(struct vet *v)
{
    v->ask_count = 0;
    for (unsigned i = 0; i < v->count; i++)
        add_source(v, &v->calls[i]);
    for (unsigned i = 0; i < v->count; i++) {
        if (!v->calls[i].asks)
            continue;
        v->servers[v->ask_count] = str_of(v->calls[i].reach);
        v->asks[v->ask_count++] = v->assistant->calls[i];
    }
}

/* Once for all calls that go there. */
static void add_source(struct vet *v, struct vet_call *c)
{
    char hash[RECORD_HASH_TEXT + 1];
    if (!c->source)
        return;
    struct record_call ask = {.tool_name = STR(TOOLS_SOURCE), .arguments = str_of(c->source)};
    record_call_hash(&ask, hash);
    snprintf(c->id, sizeof(c->id), "%s%.16s", APPROVAL_SOURCE, hash);
    ask.call_id = str_of(c->id);
    for (unsigned i = 0; i < v->ask_count; i++)
        if (str_eq(v->asks[i].call_id, ask.call_id))
            return;
    v->servers[v->ask_count] = (struct str){0};
    v->asks[v->ask_count++] = ask;
}
