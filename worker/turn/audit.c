#include "worker/turn/audit.h"

#include "common/audit.h"
#include "common/json.h"

enum { LINE_BYTES_MAX = 1 << 20 }; /* arguments of a reply, escaped: PERSAI_STEP_BYTES */

static void begin(struct buf *line, const char *act, struct str owner, struct id session,
                  struct id turn)
{
    audit_begin(line, act);
    audit_person(line, owner);
    id_field(line, "session_id", session);
    id_field(line, "turn_id", turn);
}

/* The hash is the one that a decision is bound to. */
void audit_tool(const struct audit_tool *t)
{
    static const char *const said[] = {[APPROVAL_NONE] = "none",
                                       [APPROVAL_REFUSED] = "refused",
                                       [APPROVAL_GIVEN] = "approved",
                                       [APPROVAL_BEGUN] = "approved"};
    char hash[RECORD_HASH_TEXT + 1];
    if (!audit_on())
        return;
    record_call_hash(t->call, hash);
    scoped_buf(line, LINE_BYTES_MAX);
    begin(&line, "tool", t->owner, t->session, t->turn);
    json_field(&line, "call_id", t->call->call_id);
    json_field(&line, "tool", t->call->tool_name);
    json_field(&line, "arguments_hash", str_of(hash));
    if (audit_arguments())
        json_field(&line, "arguments", t->call->arguments);
    json_field(&line, "datasource", t->response->datasource);
    json_field(&line, "approval", str_of(said[t->said]));
    json_field(&line, "outcome", t->response->failed ? STR("failed") : STR("ok"));
    json_field_u64(&line, "ms", t->response->duration_ms);
    audit_end(&line);
}

void audit_turn_end(const struct audit_turn *t)
{
    if (!audit_on())
        return;
    scoped_buf(line, LINE_BYTES_MAX);
    begin(&line, "turn_end", t->owner, t->session, t->turn);
    json_field(&line, "model", t->model);
    json_field(&line, "outcome", str_of(t->state));
    json_field(&line, "error", str_of(t->error));
    json_field_u64(&line, "input_tokens", t->usage.input_tokens);
    json_field_u64(&line, "output_tokens", t->usage.output_tokens);
    json_field_u64(&line, "cost", t->usage.cost);
    json_field_u64(&line, "ms", (uint64_t)t->ms);
    audit_end(&line);
}
