#include "gateway/cli/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"

enum { DOCUMENT_BYTES_MAX = 256 << 20 };

static void message(struct buf *b, const json_t *one);
static void calls(struct buf *b, const json_t *one);

enum exit_code export_write(struct client *c, struct out *out, struct id session,
                            const char *format)
{
    char path[64], id[ID_TEXT + 1];
    struct client_answer a;
    bool json = format && strcmp(format, "json") == 0;
    scoped_buf(text, DOCUMENT_BYTES_MAX);
    if (format && !json && strcmp(format, "md") != 0) {
        out_error(out, (struct str){0}, STR("--format is md or json"));
        return EXIT_USAGE;
    }
    id_text(session, id);
    snprintf(path, sizeof(path), "/session/%s", id);
    client_call(c, "GET", path, NULL, NULL, &a);
    if (a.status != CLIENT_OK) {
        enum exit_code code = talk_failed(out, &a);
        client_answer_free(&a);
        return code;
    }
    if (json) {
        char *dumped = json_dumps(a.body, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        struct str whole = str_of(dumped ? dumped : "null");
        if (out->answer.terminal) /* DEL is left, of what drives one */
            screen_clean(&text, whole, true);
        else
            buf_add_str(&text, whole);
        buf_putc(&text, '\n');
        free(dumped);
    } else {
        export_markdown(&text, a.body);
    }
    out_drawn(out, buf_str(&text));
    client_answer_free(&a);
    return EXIT_ANSWERED;
}

void export_markdown(struct buf *b, const json_t *session)
{
    const json_t *messages = json_object_get(session, "messages");
    buf_puts(b, "# ");
    screen_clean(b, json_text(json_object_get(session, "title")), false);
    buf_putc(b, '\n');
    for (size_t i = 0; i < json_array_size(messages); i++)
        message(b, json_array_get(messages, i));
}

static void message(struct buf *b, const json_t *one)
{
    struct str role = json_text(json_object_get(one, "role"));
    struct str content = json_text(json_object_get(one, "content"));
    if (str_is(role, "user")) {
        buf_puts(b, "\n## ");
        screen_clean(b, json_text(json_object_get(one, "at")), false);
        buf_puts(b, "\n\n");
        for (struct str line; str_split(&content, '\n', &line);) {
            buf_puts(b, "> ");
            screen_clean(b, line, false);
            buf_putc(b, '\n');
        }
    } else if (str_is(role, "assistant")) {
        calls(b, one);
        if (content.len > 0) {
            buf_putc(b, '\n');
            screen_clean(b, content, true);
            buf_putc(b, '\n');
        }
    }
}

/* In a block of code whose fence its text can't end. */
static void calls(struct buf *b, const json_t *one)
{
    const json_t *list = json_object_get(one, "tool_calls");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *call = json_array_get(list, i);
        const json_t *arguments = json_object_get(call, "arguments");
        char *text = json_dumps(arguments, JSON_INDENT(2) | JSON_ENCODE_ANY);
        scoped_buf(clean, DOCUMENT_BYTES_MAX);
        screen_clean(&clean, str_of(text), true);
        const char *fence = memmem(clean.at, clean.len, "```", 3) ? "~~~~~~~~" : "```";
        buf_puts(b, "\n");
        screen_clean(b, json_text(json_object_get(call, "tool_name")), false);
        buf_printf(b, ":\n\n%s json\n%s\n%s\n", fence, buf_cstr(&clean), fence);
        free(text);
    }
}
