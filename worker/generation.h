/* worker/generation.h: what PERSAI_MODELS, PERSAI_REDACT and PERSAI_MCP say, and what is made of
 * it. Read whole or not at all; turns keep the one that they began with until they end.
 *
 * Memory: the worker's (now and olds of worker.h); an old one goes when its last turn has ended. */
#ifndef WORKER_GENERATION_H
#define WORKER_GENERATION_H

#include "common/list.h"
#include "worker/llm/llm.h"
#include "worker/llm/models.h"
#include "worker/llm/redact.h"
#include "worker/tools/mcp/file.h"
#include "worker/tools/tools.h"
#include "worker/turn/turn.h"

enum { GENERATION_MODELS_MAX = 65536, GENERATION_PROMPT_MAX = 32768 }; /* HELLO's; bytes */

struct generation {
    struct list node;
    uint64_t number;
    struct models *models;
    struct buf models_json;  /* as HELLO tells them */
    struct redact *redact;   /* NULL: nothing is masked */
    struct buf extra_prompt; /* what the model is told beside our own */
    struct mcp_file *mcp;    /* NULL: no servers */
    struct llm *llm;         /* of generation_open */
    struct tools *tools;
    struct turn_config turn; /* what turns are made with; turn.users counts them */
    unsigned users;
};
struct generation_files {
    struct models_config models;
    const char *redact, *mcp; /* paths; "" */
    const char *system_prompt;
};
/* NULL: error says which setting's file, where in it and what is wrong. Nobody is asked. */
struct generation *generation_read(const struct generation_files *f, char error[320]);
/* What is made of it. The configs are filled in where they are of this generation. */
void generation_open(struct generation *g, const struct llm_config *llm,
                     const struct tools_config *tools, const struct turn_config *turn);
void generation_free(struct generation *g); /* no turn has it; NULL is fine */

#endif
