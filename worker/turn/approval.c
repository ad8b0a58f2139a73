#include "worker/turn/approval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"

void approval_read(struct approval *c, const struct store_decision *decisions, unsigned count)
{
    approval_free(c);
    c->entries = xcalloc(count + 1, sizeof(*c->entries));
    c->count = count;
    c->grants = xcalloc(count + 1, sizeof(*c->grants));
    for (unsigned i = 0; i < count; i++) {
        const struct store_decision *d = &decisions[i];
        struct approval_entry *e = &c->entries[i];
        e->call_id = str_dup(d->call_id);
        snprintf(e->hash, sizeof(e->hash), "%.*s", (int)d->hash.len, d->hash.at ? d->hash.at : "");
        e->said = d->what == DECISION_BEGUN      ? APPROVAL_BEGUN
                  : d->what == DECISION_APPROVED ? APPROVAL_GIVEN
                  : d->what == DECISION_REFUSED  ? APPROVAL_REFUSED
                                                 : APPROVAL_NONE;
        if (!str_starts(d->call_id, STR(APPROVAL_SOURCE)) || e->said == APPROVAL_NONE)
            continue;
        struct tool_grant *g = &c->grants[c->grant_count++];
        memcpy(g->hash, e->hash, sizeof(g->hash));
        g->said = e->said;
    }
}

void approval_free(struct approval *c)
{
    for (unsigned i = 0; i < c->count; i++)
        free(c->entries[i].call_id);
    free(c->entries);
    free(c->grants);
    *c = (struct approval){0};
}

static const struct approval_entry *find(const struct approval *c, struct str call_id)
{
    for (unsigned i = 0; i < c->count; i++)
        if (str_is(call_id, c->entries[i].call_id))
            return &c->entries[i];
    return NULL;
}

bool approval_asked(const struct approval *c, struct str call_id)
{
    return find(c, call_id) != NULL;
}

enum tool_approval approval_for(const struct approval *c, const struct record_call *call)
{
    char hash[RECORD_HASH_TEXT + 1];
    const struct approval_entry *e = find(c, call->call_id);
    record_call_hash(call, hash);
    return e && strcmp(e->hash, hash) == 0 ? e->said : APPROVAL_NONE;
}
