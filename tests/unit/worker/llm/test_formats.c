/* The streams of tests/fakes/streams, one folder for each wire format, each read by its format: cut
 * in two at every byte, byte by byte, with CRLF and with what gateways add. What must come out of
 * NAME.sse is in NAME.json; the providers' own SDKs are held to the same
 * (tests/e2e/test_providers.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <glob.h>
#include <cmocka.h>
#include <jansson.h>

#include "tests/support/reading.h"

#if defined(__SANITIZE_ADDRESS__)
enum { CUTS_APART = 7 }; /* it is five times slower there, and looks for something else */
#else
enum { CUTS_APART = 1 };
#endif

/* In a first piece of first bytes, then pieces of the given size. */
static void read_cut(struct reading *r, const struct llm_format *format, struct str bytes,
                     size_t first, size_t piece)
{
    struct intake in;
    reading_begin(r, format, &in);
    for (size_t at = 0, len = first; at < bytes.len; at += len, len = piece) {
        if (len > bytes.len - at)
            len = bytes.len - at;
        if (len > 0 && intake_feed(&in, (struct str){bytes.at + at, len}) != SSE_MORE)
            break;
    }
    if (r->err == ERR_NONE && !r->reply.ended)
        intake_end(&in);
    intake_free(&in);
    if (r->err == ERR_NONE)
        r->err = reply_end(&r->reply, 1);
}

static const char *text(const json_t *v, const char *key)
{
    return json_string_value(json_object_get(v, key));
}

static uint64_t number(const json_t *v, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(v, key));
}

static void same_calls(const struct reply *r, const json_t *calls)
{
    size_t i;
    const json_t *call;
    assert_int_equal(r->call_count, json_array_size(calls));
    json_array_foreach(calls, i, call)
    {
        const struct reply_call *got = &r->calls[i];
        json_t *arguments = json_loadb(got->arguments.at, got->arguments.len, 0, NULL);
        assert_string_equal(got->tool_name, text(call, "name"));
        if (text(call, "id")[0]) /* else one was made up */
            assert_string_equal(got->call_id, text(call, "id"));
        assert_true(json_equal(arguments, json_object_get(call, "arguments")));
        json_decref(arguments);
    }
}

static void same(struct reading *r, const json_t *want)
{
    struct reply *reply = &r->reply;
    if (text(want, "error")) {
        assert_string_equal(err_word(r->err), text(want, "error"));
        assert_true(reply_detail(reply)[0] != '\0');
        return;
    }
    assert_int_equal(r->err, ERR_NONE);
    assert_string_equal(buf_cstr(&reply->content), text(want, "text"));
    assert_string_equal(buf_cstr(&reply->reasoning), text(want, "reasoning"));
    assert_string_equal(reply->stop_reason, text(want, "stop"));
    assert_int_equal(reply->input_tokens, number(want, "input"));
    assert_int_equal(reply->output_tokens, number(want, "output"));
    assert_int_equal(reply->cached_tokens, number(want, "cached"));
    same_calls(reply, json_object_get(want, "calls"));
    json_t *state = json_loadb(buf_cstr(&reply->state), reply->state.len, 0, NULL);
    assert_true(state == NULL ? json_object_get(want, "state") == NULL
                              : json_equal(state, json_object_get(want, "state")));
    json_decref(state);
}

static void check(const struct llm_format *format, struct str bytes, const json_t *want,
                  size_t first, size_t piece)
{
    struct reading r;
    read_cut(&r, format, bytes, first, piece);
    same(&r, want);
    reply_free(&r.reply);
}

static struct str with_crlf(struct str bytes)
{
    char *copy = malloc(2 * bytes.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.at[i] == '\n' && (i == 0 || bytes.at[i - 1] != '\r'))
            copy[len++] = '\r';
        copy[len++] = bytes.at[i];
    }
    return (struct str){copy, len};
}

/* As some gateways dress it: comments that keep it alive, an id, data in two lines. */
static struct str with_noise(struct str bytes)
{
    static const char noise[] = ": still here\n\nid: 7\nretry: 10\ndata: {\ndata:",
                      mark[] = "data: {";
    char *copy = malloc(sizeof(noise) * bytes.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < bytes.len;) {
        bool event = (i == 0 || bytes.at[i - 1] == '\n') && bytes.len - i > strlen(mark) &&
                     memcmp(bytes.at + i, mark, strlen(mark)) == 0;
        memcpy(copy + len, event ? noise : bytes.at + i, event ? strlen(noise) : 1);
        len += event ? strlen(noise) : 1;
        i += event ? strlen(mark) : 1;
    }
    return (struct str){copy, len};
}

/* Events that no blank line parts, and a last line without an end. */
static struct str packed(struct str bytes)
{
    char *copy = malloc(bytes.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.at[i] != '\n' || (len > 0 && copy[len - 1] != '\n'))
            copy[len++] = bytes.at[i];
    while (len > 0 && copy[len - 1] == '\n')
        len--;
    return (struct str){copy, len};
}

/* Its objects alone, with what is given before, between and behind them. */
static struct str objects(struct str bytes, const char *before, const char *between,
                          const char *behind)
{
    struct buf out = buf_empty(1 << 17);
    struct str line;
    buf_puts(&out, before);
    while (str_split(&bytes, '\n', &line)) {
        line = str_trim(line);
        if (!str_starts(line, STR("data: {")))
            continue;
        buf_add_str(&out, str_skip(line, 6));
        buf_puts(&out, between);
    }
    buf_puts(&out, behind);
    assert_false(out.overflowed);
    return buf_str(&out);
}

/* In pieces of every size from 1 to 3, and in one. */
static void check_dressed(const struct llm_format *format, struct str take_bytes,
                          const json_t *want)
{
    for (size_t piece = 1; piece <= 3; piece++)
        check(format, take_bytes, want, piece, piece);
    check(format, take_bytes, want, take_bytes.len, take_bytes.len);
    free((char *)take_bytes.at);
}

static struct str read_file(const char *path)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    char *bytes = malloc(1 << 16);
    size_t len = fread(bytes, 1, 1 << 16, f);
    assert_true(len > 0 && len < 1 << 16);
    fclose(f);
    return (struct str){bytes, len};
}

static void check_stream(const struct llm_format *format, const char *path)
{
    char expected[512];
    snprintf(expected, sizeof(expected), "%.*s.json", (int)(strlen(path) - 4), path);
    json_t *want = json_load_file(expected, 0, NULL);
    struct str bytes = read_file(path);
    assert_non_null(want);
    for (size_t at = 1; at <= bytes.len; at += CUTS_APART)
        check(format, bytes, want, at, bytes.len);
    check_dressed(format, with_crlf(bytes), want);
    check_dressed(format, with_noise(bytes), want);
    check_dressed(format, packed(bytes), want);
    if (!text(want, "error")) { /* some have it in an event's name alone */
        check_dressed(format, objects(bytes, "", "\n", ""), want); /* JSON lines */
        check_dressed(format, objects(bytes, "\xEF\xBB\xBF\r\n", "", ""), want);
        check_dressed(format, objects(bytes, "\x1e", "\n\x1e", "\n"), want); /* RFC 7464 */
        check_dressed(format, objects(bytes, "[", "\r\n,", "{}]"), want);
    }
    check_dressed(format, bytes, want);
    json_decref(want);
}

static void check_folder(const struct llm_format *format, const char *folder)
{
    glob_t found;
    char pattern[512];
    snprintf(pattern, sizeof(pattern), PERSAI_SOURCE_DIR "/tests/fakes/streams/%s/*.sse", folder);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 5);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_stream(format, found.gl_pathv[i]);
    globfree(&found);
}

#define X(name, word)                                                                              \
    static void streams_of_##word##_read_the_same_however_they_are_cut(void **state)               \
    {                                                                                              \
        (void)state;                                                                               \
        check_folder(&llm_##word, #word);                                                          \
    }
MODEL_APIS(X)
#undef X

/* How each reason that an API gives for a reply's end is told on: as a word of ours, as it stands,
 * or as an error's word (stops.json; that none is missing is checked in test_providers.py). */
static void check_stops(const struct llm_format *format, const json_t *api)
{
    const char *their, *stream = text(api, "stream"), *mark = strstr(stream, "STOP_REASON");
    const json_t *ours;
    json_object_foreach(json_object_get(api, "stops"), their, ours)
    {
        struct reading r;
        char bytes[1024];
        assert_non_null(mark);
        snprintf(bytes, sizeof(bytes), "%.*s%s%s", (int)(mark - stream), stream, their,
                 mark + strlen("STOP_REASON"));
        read_cut(&r, format, str_of(bytes), 0, sizeof(bytes));
        assert_string_equal(r.err == ERR_NONE ? r.reply.stop_reason : err_word(r.err),
                            json_string_value(ours));
        assert_string_equal(buf_cstr(&r.reply.content), "So");
        reply_free(&r.reply);
    }
}

static void each_reason_to_stop_is_understood(void **state)
{
    (void)state;
    json_t *all = json_load_file(PERSAI_SOURCE_DIR "/tests/fakes/streams/stops.json", 0, NULL);
#define X(name, word) check_stops(&llm_##word, json_object_get(all, #word));
    MODEL_APIS(X)
#undef X
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define X(name, word) cmocka_unit_test(streams_of_##word##_read_the_same_however_they_are_cut),
        MODEL_APIS(X)
#undef X
            cmocka_unit_test(each_reason_to_stop_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
