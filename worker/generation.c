#include "worker/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/llm/mask.h"

static bool read_models(struct generation *g, const struct generation_files *f, char why[256]);
static bool read_rules(struct generation *g, const struct generation_files *f, char why[256]);

struct generation *generation_read(const struct generation_files *f, char error[320])
{
    char why[256] = "";
    const char *setting = NULL;
    struct generation *g = xcalloc(1, sizeof(*g));
    list_init(&g->node);
    buf_init(&g->models_json, GENERATION_MODELS_MAX);
    buf_init(&g->extra_prompt, GENERATION_PROMPT_MAX);
    if (!read_models(g, f, why))
        setting = f->models.file ? "PERSAI_MODELS" : "PERSAI_DEFAULT_MODEL";
    else if (!read_rules(g, f, why))
        setting = "PERSAI_REDACT";
    else if (f->mcp[0] && !(g->mcp = mcp_file_read(f->mcp, why)))
        setting = "PERSAI_MCP";
    if (!setting)
        return g;
    snprintf(error, 320, strstr(why, setting) ? "%s%s" : "%s: %s",
             strstr(why, setting) ? "" : setting, why);
    generation_free(g);
    return NULL;
}

static bool read_models(struct generation *g, const struct generation_files *f, char why[256])
{
    g->models = models_new(&f->models, why);
    if (g->models && !models_json(g->models, &g->models_json)) {
        snprintf(why, 256, "there are more models than can be told to gateways");
        return false;
    }
    return g->models != NULL;
}

static bool read_rules(struct generation *g, const struct generation_files *f, char why[256])
{
    buf_puts(&g->extra_prompt, f->system_prompt);
    if (!f->redact[0])
        return true;
    g->redact = redact_file(f->redact, why);
    if (g->redact)
        buf_printf(&g->extra_prompt, "%s%s", g->extra_prompt.len > 0 ? "\n" : "", mask_prompt);
    return g->redact != NULL;
}

void generation_open(struct generation *g, const struct llm_config *llm,
                     const struct tools_config *tools, const struct turn_config *turn)
{
    struct llm_config of_llm = *llm;
    struct tools_config of_tools = *tools;
    of_llm.redact = g->redact;
    of_llm.accounts = models_accounts(g->models);
    g->llm = llm_new(&of_llm);
    of_tools.redact = g->redact;
    of_tools.mcp = g->mcp;
    g->tools = tools_new(&of_tools);
    g->turn = *turn;
    g->turn.models = g->models;
    g->turn.llm = g->llm;
    g->turn.tools = g->tools;
    g->turn.extra_prompt = buf_cstr(&g->extra_prompt);
    g->turn.users = &g->users;
}

void generation_free(struct generation *g)
{
    if (!g)
        return;
    CHECK(g->users == 0);
    list_remove(&g->node);
    tools_free(g->tools);
    mcp_file_free(g->mcp);
    llm_free(g->llm);
    redact_free(g->redact);
    models_free(g->models);
    buf_free(&g->models_json);
    buf_free(&g->extra_prompt);
    free(g);
}
