/* What must not be done twice: a call of an MCP server's tool that changes something. When its
 * worker dies, nobody knows whether it was done. So that it began is stored before it is sent;
 * whoever has the turn next tells the model so, and does not send it again. */
#include "worker/turn/turn.h"

#include "common/check.h"
#include "common/log.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

enum { MARK_RETRY_MS = 200 };

static void on_marked(void *arg, enum err err, const struct store_answer *answer);

/* Of the reply's calls. */
static unsigned list_once(const struct turn *t, struct str ids[REPLY_CALLS_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < t->assistant.call_count && count < REPLY_CALLS_MAX; i++) {
        const struct record_call *call = &t->assistant.calls[i];
        if (approval_for(&t->approval, call) == APPROVAL_GIVEN &&
            tools_once(t->config->tools, call->tool_name))
            ids[count++] = call->call_id;
    }
    return count;
}

bool turn_once_begin(struct turn *t)
{
    const struct journal_config *c = &t->config->journal;
    struct str ids[REPLY_CALLS_MAX];
    unsigned count = t->marked_step == t->agent.step ? 0 : list_once(t, ids);
    if (count == 0)
        return false;
    t->call = store_turn_mark(c->store, t->session, t->id, t->epoch, str_of(c->holder), ids, count,
                              on_marked, t);
    return true;
}

static void on_marked(void *arg, enum err err, const struct store_answer *answer)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    (void)answer;
    t->call = 0;
    if (t->agent.state != AGENT_ACTING) /* cancelled meanwhile */
        return;
    if (err == ERR_STORE_UNAVAILABLE || err == ERR_STORE_FULL || err == ERR_LOST) {
        t->retry_ms = loop_now_ms(t->config->journal.loop) + MARK_RETRY_MS;
        return;
    }
    if (err != ERR_NONE) {
        log_info("turn.unmarked", "turn=%s err=%s", traced_log(t->id), err_word(err));
        t->refused = err;
        turn_fenced(t);
        return;
    }
    t->marked_step = t->agent.step;
    turn_start_tools(t);
}
