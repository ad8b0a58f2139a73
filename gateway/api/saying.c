#include "gateway/api/saying.h"

#include <string.h>
#include "common/json.h"

/* What event_progress_text and its like write, piece by piece. */
#define HEAD                                                                                       \
    "{\"event\":{\"payload\":{\"event_type\":\"step_progress\",\"step_type\":\"inference\","       \
    "\"step_id\":\""
#define DELTA "\",\"delta\":{\"type\":\""
#define TEXT "\",\"text\":\""

/* Cuts what is before mark off *rest. False: the mark is not within the next few bytes. */
static bool cut(struct str *rest, struct str mark, struct str *piece)
{
    enum { WITHIN = 256 };
    size_t within = rest->len < WITHIN ? rest->len : WITHIN;
    const char *at = memmem(rest->at, within, mark.at, mark.len);
    if (!at)
        return false;
    *piece = (struct str){rest->at, (size_t)(at - rest->at)};
    *rest = str_skip(*rest, piece->len + mark.len);
    return true;
}

/* The quote that ends a JSON string; NULL: none does. A delta may have more behind its text. */
static const char *string_end(struct str rest)
{
    const char *at = rest.at, *end = rest.at + rest.len;
    while ((at = memchr(at, '"', (size_t)(end - at)))) {
        const char *slash = at;
        while (slash > rest.at && slash[-1] == '\\')
            slash--;
        if ((at - slash) % 2 == 0)
            return at;
        at++;
    }
    return NULL;
}

static bool read_delta(struct str rest, struct saying *out)
{
    struct str type;
    if (!str_starts(rest, STR(HEAD)))
        return false;
    rest = str_skip(rest, sizeof(HEAD) - 1);
    if (!cut(&rest, STR(DELTA), &out->step_id) || !cut(&rest, STR(TEXT), &type))
        return false;
    const char *end = string_end(rest);
    if (!end)
        return false;
    out->text = (struct str){rest.at, (size_t)(end - rest.at)};
    out->kind = str_is(type, "text")        ? SAYING_TEXT
                : str_is(type, "reasoning") ? SAYING_REASONING
                : str_is(type, "notice")    ? SAYING_NOTICE
                                            : SAYING_OTHER;
    return true;
}

void saying_read(struct str payload, struct saying *out)
{
    *out = (struct saying){.kind = SAYING_OTHER};
    if (!read_delta(payload, out))
        out->kind = SAYING_OTHER;
}

json_t *saying_tree(struct str payload)
{
    json_auto_t *all = json_loadb(payload.at ? payload.at : "", payload.len, 0, NULL);
    json_t *inner = json_object_get(json_object_get(all, "event"), "payload");
    return json_is_object(inner) ? json_incref(inner) : NULL;
}

enum saying_cut saying_cut(const json_t *turn)
{
    struct str why =
        json_text(json_object_get(json_object_get(turn, "output_message"), "stop_reason"));
    bool length = str_is(why, "length") || str_is(why, "max_tokens") || str_is(why, "MAX_TOKENS");
    return length ? SAYING_LENGTH : str_is(why, "content_filter") ? SAYING_FILTERED : SAYING_WHOLE;
}
