#include "worker/turn/tool_batch.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/turn/audit.h"

static void run(struct tool_batch_call *c);
static void on_done(void *arg, const struct tool_result *result);

void tool_batch_start(struct tool_batch *r, const struct tool_batch_world *world,
                      const struct tool_batch_handler *h, void *arg,
                      const struct record_message *assistant)
{
    CHECK(r->calls == NULL && assistant->call_count > 0);
    *r = (struct tool_batch){.world = *world,
                             .handler = h,
                             .arg = arg,
                             .assistant = assistant,
                             .calls = xcalloc(assistant->call_count, sizeof(*r->calls)),
                             .count = assistant->call_count};
    r->world.owner = str_of(str_dup(world->owner));
    r->world.token = world->token ? secret_ref(world->token) : NULL;
    for (unsigned i = 0; i < r->count; i++) {
        r->calls[i] = (struct tool_batch_call){.batch = r, .index = i};
        run(&r->calls[i]);
    }
}

struct tool_call tool_batch_tool_call(const struct tool_batch_world *w,
                                      const struct record_call *call,
                                      struct str datasources[TURN_CONTEXT_DATASOURCES_MAX])
{
    const struct turn_context *context = w->context;
    for (unsigned i = 0; i < context->datasource_count; i++)
        datasources[i] = str_of(context->datasources[i]);
    return (struct tool_call){.conversation = w->session,
                              .turn = w->turn,
                              .owner = w->owner,
                              .call_id = call->call_id,
                              .tool_name = call->tool_name,
                              .arguments = call->arguments,
                              .offered = w->offered,
                              .repeated = w->failed_before && w->failed_before(w->arg, call),
                              .ordered = str_is(call->call_id, TOOL_BATCH_ORDERED),
                              .approval = approval_for(w->approval, call),
                              .grants = w->approval->grants,
                              .grant_count = w->approval->grant_count,
                              .datasources = datasources,
                              .datasource_count = context->datasource_count,
                              .project = str_of(context->project),
                              .dashboard = str_of(context->dashboard),
                              .token = w->token,
                              .now_ms = w->now_ms,
                              .timezone = str_of(context->timezone),
                              .range_start_ms = context->range_start_ms,
                              .range_end_ms = context->range_end_ms,
                              .trace = w->trace};
}

static void run(struct tool_batch_call *c)
{
    struct tool_batch *r = c->batch;
    const struct record_call *asked = &r->assistant->calls[c->index];
    struct str datasources[TURN_CONTEXT_DATASOURCES_MAX];
    struct tool_call call = tool_batch_tool_call(&r->world, asked, datasources);
    c->state = TOOL_BATCH_RUNNING;
    c->tries++;
    c->run = tool_start(r->world.tools, &call, on_done, c);
}

static void on_done(void *arg, const struct tool_result *result)
{
    struct tool_batch_call *c = arg;
    struct tool_batch *r = c->batch;
    c->run = NULL;
    if (result->unauthorized && r->world.token != NULL && c->tries == 1) {
        c->state = TOOL_BATCH_REFUSED;
        r->handler->on_refused(r->arg);
        return;
    }
    const struct record_call *asked = &r->assistant->calls[c->index];
    c->content = str_dup(result->content);
    c->content_len = result->content.len;
    c->datasource = result->datasource.len > 0 ? str_dup(result->datasource) : NULL;
    c->response = (struct record_response){.call_id = asked->call_id,
                                           .tool_name = asked->tool_name,
                                           .content = {c->content, c->content_len},
                                           .failed = result->failed,
                                           .duration_ms = result->duration_ms,
                                           .datasource = str_of(c->datasource)};
    c->invalid = result->invalid;
    audit_tool(&(struct audit_tool){.owner = r->world.owner,
                                    .session = r->world.session,
                                    .turn = r->world.turn,
                                    .call = asked,
                                    .response = &c->response,
                                    .said = approval_for(r->world.approval, asked)});
    c->state = TOOL_BATCH_ANSWERED;
    r->handler->on_result(r->arg, c->index);
}

void tool_batch_token(struct tool_batch *r, struct secret *token)
{
    secret_free(r->world.token);
    r->world.token = token ? secret_ref(token) : NULL;
    for (unsigned i = 0; i < r->count; i++)
        if (r->calls[i].state == TOOL_BATCH_REFUSED)
            run(&r->calls[i]);
}

void tool_batch_responses(const struct tool_batch *r, struct record_response **responses,
                          unsigned *count)
{
    *responses = xcalloc(r->count, sizeof(**responses));
    *count = r->count;
    for (unsigned i = 0; i < r->count; i++) {
        CHECK(r->calls[i].state == TOOL_BATCH_ANSWERED);
        (*responses)[i] = r->calls[i].response;
    }
}

void tool_batch_free(struct tool_batch *r)
{
    for (unsigned i = 0; i < r->count; i++) {
        tool_cancel(r->calls[i].run);
        free(r->calls[i].content);
        free(r->calls[i].datasource);
    }
    free(r->calls);
    free((char *)r->world.owner.at);
    secret_free(r->world.token);
    *r = (struct tool_batch){0};
}
