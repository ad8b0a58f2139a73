#include "worker/llm/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sodium.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/llm/jsonio.h"
#include "worker/llm/llm.h"

/* The longest id: OpenAI refuses longer ones by these numbers; Bedrock, which speaks Messages, more
 * than 64. Mistral's models take 9 letters and digits, neither more nor less. */
enum { CHAT_ID_MAX = 40, MISTRAL_ID = 9, NAME_MAX_BYTES = 64 };

static void take_id(struct history *h, unsigned at, const struct record_call *c, unsigned n);
static bool id_ok(const struct history *h, const struct prompt_item *item, struct str id);
static bool is_used(const struct history *h, const char *id);
static void make_id(const struct history *h, struct str id, uint32_t message, unsigned salt,
                    char out[HISTORY_ID_MAX + 1]);

void history_init(struct history *h, const struct llm_request *r)
{
    const struct prompt *p = r->prompt;
    unsigned calls = 0;
    const struct prompt_item *asked = NULL; /* the last one with calls */
    unsigned asked_first = 0;
    *h = (struct history){.request = r};
    history_maker(r->model, h->maker);
    for (unsigned i = 0; i < p->count; i++)
        calls += 1 + p->items[i].call_count;
    h->ids = xcalloc(calls + 1, sizeof(*h->ids));
    h->first = xcalloc(p->count + 1, sizeof(*h->first));
    for (unsigned i = 0; i < p->count; i++) {
        const struct prompt_item *item = &p->items[i];
        h->first[i] = h->count;
        if (item->kind == PROMPT_ASSISTANT && !item->gone) {
            asked = item;
            asked_first = h->count;
            for (unsigned n = 0; n < item->call_count; n++)
                take_id(h, i, &item->calls[n], n);
        } else if (item->kind == PROMPT_RESULT && !item->gone) {
            unsigned n = 0;
            while (asked && n < asked->call_count &&
                   !str_eq(asked->calls[n].call_id, item->call_id))
                n++;
            if (asked && n < asked->call_count)
                h->first[i] = asked_first + n;
            else
                take_id(h, i, &(struct record_call){.call_id = item->call_id}, 0);
        }
    }
}

void history_free(struct history *h)
{
    free(h->ids);
    free(h->first);
    *h = (struct history){0};
}

struct str history_call_id(const struct history *h, unsigned item, unsigned call)
{
    CHECK(h->first[item] + call < h->count);
    return str_of(h->ids[h->first[item] + call].text);
}

struct str history_result_id(const struct history *h, unsigned item)
{
    return history_call_id(h, item, 0);
}

bool history_own(const struct history *h, const struct prompt_item *item)
{
    return item->maker.len > 0 ? str_is(item->maker, h->maker)
                               : str_is(item->model, h->request->model->name); /* older records */
}

void history_maker(const struct model *m, char out[HISTORY_MAKER + 1])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;
    const char *parts[] = {m->base_url, m->id};
    unsigned char api = (unsigned char)((unsigned)m->api << 1 | m->by_perses);
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    crypto_generichash_update(&state, &api, 1);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const char *text = parts[i] ? parts[i] : "";
        crypto_generichash_update(&state, (const unsigned char *)text, strlen(text) + 1);
    }
    crypto_generichash_final(&state, hash, sizeof(hash));
    sodium_bin2hex(out, HISTORY_MAKER + 1, hash, HISTORY_MAKER / 2);
}

static bool is_mistral(const struct model *m)
{
    static const char *const words[] = {"mistral",   "mixtral", "codestral", "devstral",
                                        "magistral", "pixtral", "ministral"};
    bool is = strcasestr(m->base_url ? m->base_url : "", "mistral.ai") != NULL;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        is = is || strcasestr(m->id ? m->id : "", words[i]) != NULL;
    return is && m->api == API_CHAT;
}

/* An id that was used before in this request (some count anew in each reply) becomes another. */
static void take_id(struct history *h, unsigned at, const struct record_call *c, unsigned n)
{
    const struct prompt_item *item = &h->request->prompt->items[at];
    struct history_id *id = &h->ids[h->count];
    if (id_ok(h, item, c->call_id))
        snprintf(id->text, sizeof(id->text), "%.*s", (int)c->call_id.len, c->call_id.at);
    else
        make_id(h, c->call_id, 0, 0, id->text);
    for (unsigned salt = 1 + n; is_used(h, id->text); salt += REPLY_CALLS_MAX)
        make_id(h, c->call_id, item->message, salt, id->text);
    h->count++;
}

static bool is_used(const struct history *h, const char *id)
{
    for (unsigned i = 0; i < h->count; i++)
        if (strcmp(h->ids[i].text, id) == 0)
            return true;
    return false;
}

static bool letters(struct str id, const char *others)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return id.len > 0;
}

/* Kimi's templates want their own back as they were, with points and colons; every other API has
 * refused these. */
static bool id_ok(const struct history *h, const struct prompt_item *item, struct str id)
{
    const struct model *m = h->request->model;
    if (is_mistral(m))
        return id.len == MISTRAL_ID && letters(id, "");
    bool as_it_was = m->api == API_CHAT && history_own(h, item);
    size_t max = m->api == API_CHAT ? CHAT_ID_MAX : HISTORY_ID_MAX;
    return id.len <= max && letters(id, as_it_was ? "_-.:/" : "_-");
}

static void make_id(const struct history *h, struct str id, uint32_t message, unsigned salt,
                    char out[HISTORY_ID_MAX + 1])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char hex[2 * sizeof(hash) + 1];
    uint32_t more[] = {message, salt};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    crypto_generichash_update(&state, (const unsigned char *)(id.at ? id.at : ""), id.len);
    if (salt > 0)
        crypto_generichash_update(&state, (const unsigned char *)more, sizeof(more));
    crypto_generichash_final(&state, hash, sizeof(hash));
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    if (is_mistral(h->request->model))
        snprintf(out, MISTRAL_ID + 1, "%.*s", MISTRAL_ID, hex);
    else
        snprintf(out, HISTORY_ID_MAX + 1, "call_%s", hex);
}

void history_name(struct buf *b, const char *key, struct str tool_name)
{
    char name[NAME_MAX_BYTES + 1];
    size_t len = tool_name.len < NAME_MAX_BYTES ? tool_name.len : NAME_MAX_BYTES;
    for (size_t i = 0; i < len; i++)
        name[i] = letters((struct str){tool_name.at + i, 1}, "_-") ? tool_name.at[i] : '_';
    json_field(b, key, len > 0 ? (struct str){name, len} : STR("unnamed"));
}
