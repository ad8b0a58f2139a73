/* persai: the terminal client: the command line, the sign-in, and the command. */
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/config.h"
#include "common/duration.h"
#include "common/fetch.h"
#include "common/json.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/cli/contexts.h"
#include "gateway/cli/editor.h"
#include "gateway/cli/export.h"
#include "gateway/cli/login.h"
#include "gateway/cli/talk.h"
#include "gateway/cli/usage.h"

enum { QUESTION_BYTES_MAX = 1 << 20, USAGE_BYTES_MAX = 1 << 20, ERROR_BYTES = 512 };

static const char NO_CONTEXT[] = "there is no such context; persai contexts lists them";

struct app {
    struct usage usage;
    struct out out;
    struct contexts contexts;
    char *name; /* of the context */
    struct client *client;
    char *perses, *gateway; /* without a slash at the end */
    struct buf datasource;
};

static void open_standard(void);
static void say_wrong(struct str sentence);
static enum exit_code run(struct app *app);
static enum exit_code connect_it(struct app *app);
static enum exit_code command_login(struct app *app);
static enum exit_code command_ask(struct app *app, struct talk *t);
static enum exit_code command_chat(struct app *app, struct talk *t);
static enum exit_code command_sessions(struct app *app);
static enum exit_code command_approve(struct app *app, struct talk *t);
static enum exit_code command_contexts(struct app *app);
static enum exit_code command_logout(struct app *app);
static enum exit_code converse(struct app *app);

int main(int argc, char **argv)
{
    struct app app = {0};
    scoped_buf(told, USAGE_BYTES_MAX);
    char error[ERROR_BYTES];
    open_standard();
    secret_setup();
    json_set_alloc_funcs(malloc, secret_wiping_free); /* what is signed in with, and the answers */
    if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
        setlocale(LC_CTYPE, "C.UTF-8"); /* widths of characters: the terminal's are UTF-8 anyway */
    enum usage_verdict verdict = usage_parse(argc, argv, &app.usage, &told);
    if (verdict == USAGE_WRONG) {
        say_wrong(buf_str(&told));
        return EXIT_USAGE;
    }
    out_init(&app.out, app.usage.json, app.usage.verbose);
    if (verdict == USAGE_PRINT) {
        out_drawn(&app.out, buf_str(&told));
        bool whole = out_whole(&app.out);
        out_free(&app.out);
        return whole ? EXIT_ANSWERED : EXIT_ERROR;
    }
    buf_init(&app.datasource, 4096);
    enum exit_code code = EXIT_ERROR;
    if (contexts_load(&app.contexts, error))
        code = run(&app);
    else
        out_error(&app.out, (struct str){0}, str_of(error));
    if (!out_whole(&app.out) && code == EXIT_ANSWERED)
        code = EXIT_ERROR;
    client_free(app.client);
    free(app.name);
    free(app.perses);
    free(app.gateway);
    contexts_free(&app.contexts);
    buf_free(&app.datasource);
    out_free(&app.out);
    return (int)code;
}

/* What was started without one of them would get a connection in its place, and write into that.
 * Without stdout a write fails, and is said to. */
static void open_standard(void)
{
    static const int flags[] = {O_RDONLY, O_RDONLY, O_RDWR};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) != fd)
            _exit(EXIT_ERROR);
}

/* It quotes the command line, which may be pasted from anywhere. */
static void say_wrong(struct str sentence)
{
    scoped_buf(clean, USAGE_BYTES_MAX);
    screen_clean(&clean, sentence, false);
    fprintf(stderr, "persai: %s\n", buf_cstr(&clean));
}

static enum exit_code wrong(struct app *app, const char *sentence)
{
    out_error(&app->out, (struct str){0}, str_of(sentence));
    return EXIT_USAGE;
}

static enum exit_code run(struct app *app)
{
    switch (app->usage.command) {
    case COMMAND_contexts:
        return command_contexts(app);
    case COMMAND_logout:
        return command_logout(app);
    case COMMAND_login:
        return command_login(app);
    case COMMAND_ask:
    case COMMAND_chat:
    case COMMAND_sessions:
    case COMMAND_export:
    case COMMAND_approve:
    case COMMAND_COUNT:
        break;
    }
    return converse(app);
}

/* ---- whom to speak to ---- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool is_url(const char *url)
{
    return !url || strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

static const char *text_of(const json_t *context, const char *key)
{
    return json_string_value(json_object_get(context, key));
}

/* A copy without slashes at its end: paths are put behind it. NULL of NULL. */
static char *address_of(const char *url)
{
    return url ? str_dup(str_trim_slashes(str_of(url))) : NULL;
}

static void say_wait(void *arg, const char *why) { out_note(arg, "%s; trying again", why); }

/* Flag, environment, context: the first that says it. */
static enum exit_code connect_it(struct app *app)
{
    const struct usage *u = &app->usage;
    app->name = xstrdup(contexts_name(&app->contexts, u->context));
    const json_t *context = contexts_get(&app->contexts, app->name);
    const char *kept = text_of(context, "url");
    const char *perses = u->url ? u->url : environment("PERSAI_URL");
    const char *gateway = u->gateway ? u->gateway : environment("PERSAI_GATEWAY");
    if (!gateway && !perses)
        gateway = text_of(context, "gateway");
    if (!perses)
        perses = kept;
    if (!is_url(perses) || !is_url(gateway))
        return wrong(app, "addresses begin with http:// or https://");
    if (!perses && !gateway)
        return wrong(app, u->context && !context && u->command != COMMAND_login
                              ? NO_CONTEXT
                              : "which Perses? persai login --url URL (or PERSAI_URL)");
    app->perses = address_of(perses);
    app->gateway = address_of(gateway);
    /* A refresh token goes to the Perses that gave it, and to no other. */
    char *giver = address_of(kept);
    struct str token = json_text(json_object_get(context, "refresh_token"));
    bool same = app->perses && giver && strcmp(app->perses, giver) == 0;
    free(giver);
    struct client_config config = {.perses = app->perses,
                                   .gateway = app->gateway,
                                   .on_wait = say_wait,
                                   .arg = &app->out,
                                   .take_refresh = same && token.len ? secret_new(token) : NULL,
                                   .take_key = secret_of_environment("PERSAI_API_KEY")};
    app->client = client_new(&config);
    return EXIT_ANSWERED;
}

static enum exit_code save(struct app *app)
{
    char error[ERROR_BYTES];
    if (contexts_save(&app->contexts, error))
        return EXIT_ANSWERED;
    out_error(&app->out, (struct str){0}, str_of(error));
    return EXIT_ERROR;
}

static enum exit_code command_login(struct app *app)
{
    const struct usage *u = &app->usage;
    enum exit_code code = connect_it(app);
    if (code == EXIT_ANSWERED && !app->perses)
        code = wrong(app, "which Perses? --url URL");
    if (code == EXIT_ANSWERED && !app->contexts.path) {
        out_error(&app->out, (struct str){0}, STR(CONTEXTS_NO_PLACE));
        code = EXIT_ERROR;
    }
    if (code != EXIT_ANSWERED)
        return code;
    code = u->provider ? login_device(app->client, &app->out, u->provider)
                       : login_native(app->client, &app->out, u->user, u->password_stdin);
    if (code != EXIT_ANSWERED)
        return code;
    struct str token = client_refresh_token(app->client);
    json_t *context = contexts_make(&app->contexts, app->name);
    json_t *url = json_string(app->perses),
           *gateway = app->gateway ? json_string(app->gateway) : NULL;
    json_object_clear(context);
    json_object_set_new(context, "url", url);
    if (gateway)
        json_object_set_new(context, "gateway", gateway);
    json_object_set_new(context, "refresh_token", json_stringn(token.at, token.len));
    json_object_set_new(app->contexts.all, "current", json_string(app->name));
    code = save(app);
    if (code == EXIT_ANSWERED)
        out_note(&app->out, "signed in to %s as context %s", log_address(app->perses), app->name);
    return code;
}

static enum exit_code command_contexts(struct app *app)
{
    const char *name, *current = contexts_name(&app->contexts, NULL);
    json_t *context;
    scoped_buf(text, USAGE_BYTES_MAX);
    if (app->usage.count == 1) {
        if (!contexts_get(&app->contexts, app->usage.arguments[0]))
            return wrong(app, NO_CONTEXT);
        json_object_set_new(app->contexts.all, "current", json_string(app->usage.arguments[0]));
        return save(app);
    }
    json_object_foreach(json_object_get(app->contexts.all, "contexts"), name, context)
    {
        buf_puts(&text, strcmp(name, current) == 0 ? "* " : "  ");
        screen_clean(&text, str_of(name), false);
        buf_puts(&text, "  ");
        screen_clean(&text, json_text(json_object_get(context, "url")), false);
        buf_putc(&text, '\n');
    }
    out_drawn(&app->out, buf_str(&text));
    return EXIT_ANSWERED;
}

static enum exit_code command_logout(struct app *app)
{
    const char *name = contexts_name(&app->contexts, app->usage.context);
    if (json_object_del(json_object_get(app->contexts.all, "contexts"), name) != 0)
        return wrong(app, NO_CONTEXT);
    return save(app);
}

/* ---- conversations ---- */

static enum exit_code open_talk(struct app *app, struct talk *t)
{
    const struct usage *u = &app->usage;
    struct client_answer a;
    const char *session = u->session ? u->session
                          : u->command == COMMAND_approve || u->command == COMMAND_export
                              ? u->arguments[0]
                              : NULL;
    int64_t range;
    *t = (struct talk){.client = app->client,
                       .out = &app->out,
                       .perses = app->perses,
                       .model = u->model,
                       .range = u->range,
                       .yes = u->yes,
                       .refuse = u->refuse};
    if (session && !id_parse(str_of(session), &t->session))
        return wrong(app, "a conversation's id is 32 of 0-9a-f, as persai sessions lists them");
    if (u->range && (!duration_parse(str_of(u->range), &range) || range <= 0))
        return wrong(app, "--range is a duration, as 30m, 6h or 7d");
    if (!client_discover(app->client, u->datasource, &app->datasource, &a)) {
        enum exit_code code = talk_failed(&app->out, &a);
        client_answer_free(&a);
        return code;
    }
    t->datasource = buf_cstr(&app->datasource);
    return EXIT_ANSWERED;
}

static enum exit_code converse(struct app *app)
{
    struct talk t;
    enum exit_code code = connect_it(app);
    contexts_free(&app->contexts); /* with everybody's refresh tokens */
    if (code == EXIT_ANSWERED)
        code = open_talk(app, &t);
    if (code != EXIT_ANSWERED)
        return code;
    switch (app->usage.command) {
    case COMMAND_ask:
        return command_ask(app, &t);
    case COMMAND_chat:
        return command_chat(app, &t);
    case COMMAND_sessions:
        return command_sessions(app);
    case COMMAND_approve:
        return command_approve(app, &t);
    case COMMAND_export:
        return export_write(t.client, t.out, t.session, app->usage.format);
    case COMMAND_login:
    case COMMAND_contexts:
    case COMMAND_logout:
    case COMMAND_COUNT:
        break;
    }
    return EXIT_USAGE;
}

/* The words of the command line, or all of stdin. */
static bool take_question(struct app *app, struct buf *text)
{
    const struct usage *u = &app->usage;
    bool from_stdin = u->count == 0 || (u->count == 1 && strcmp(u->arguments[0], "-") == 0);
    char piece[4096];
    ssize_t n;
    for (unsigned i = 0; !from_stdin && i < u->count; i++)
        buf_printf(text, i > 0 ? " %s" : "%s", u->arguments[i]);
    while (from_stdin && (n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
        buf_add(text, piece, (size_t)n);
    return !text->overflowed && str_trim(buf_str(text)).len > 0;
}

static enum exit_code choose_session(struct app *app, struct talk *t)
{
    bool found = app->usage.session;
    enum exit_code code = EXIT_ANSWERED;
    if (app->usage.go_on)
        code = talk_latest(t, &found);
    return code == EXIT_ANSWERED && !found ? talk_begin(t) : code;
}

static enum exit_code command_ask(struct app *app, struct talk *t)
{
    scoped_buf(question, QUESTION_BYTES_MAX);
    if (!take_question(app, &question))
        return wrong(app, "what is the question? persai ask \"…\", or by a pipe; at most 1 MiB");
    if (memchr(question.at, 0, question.len))
        return wrong(app, "the question is no text: it has a zero byte");
    enum exit_code code = choose_session(app, t);
    if (code != EXIT_ANSWERED)
        return code;
    code = talk_ask(t, buf_cstr(&question));
    if (app->usage.timing)
        talk_timing(t);
    if (t->refused && t->made)
        talk_drop(t);
    else
        talk_address(t);
    return code;
}

/* A question that was running when the line or the program died is taken up first. */
static enum exit_code chat_begin(struct app *app, struct talk *t, bool *begun)
{
    bool found = app->usage.session, running = false;
    enum exit_code code = EXIT_ANSWERED;
    *begun = found;
    if (!found)
        code = talk_latest(t, &found);
    if (code == EXIT_ANSWERED && found)
        code = talk_rejoin(t, &running);
    *begun = *begun || running || (found && app->usage.go_on);
    return running && code != EXIT_NOT_SIGNED_IN ? EXIT_ANSWERED : code;
}

static enum exit_code command_chat(struct app *app, struct talk *t)
{
    bool begun = false;
    if (!isatty(STDIN_FILENO))
        return wrong(app, "chat needs a terminal; persai ask takes a question by a pipe");
    enum exit_code code = chat_begin(app, t, &begun);
    if (code != EXIT_ANSWERED)
        return code;
    struct editor *editor = editor_new();
    for (;;) {
        scoped_buf(text, QUESTION_BYTES_MAX);
        enum editor_end end = editor_read(editor, &text);
        client_interrupted(t->client);
        out_measure(&app->out);
        if (end == EDITOR_CLOSED)
            break;
        if (end == EDITOR_INTERRUPTED || str_trim(buf_str(&text)).len == 0)
            continue;
        code = begun ? EXIT_ANSWERED : talk_begin(t);
        begun = begun || code == EXIT_ANSWERED;
        if (code == EXIT_ANSWERED)
            code = talk_ask(t, buf_cstr(&text));
        if (code == EXIT_NOT_SIGNED_IN)
            break;
    }
    editor_free(editor);
    if (begun)
        talk_address(t);
    return code == EXIT_NOT_SIGNED_IN ? code : EXIT_ANSWERED;
}

static enum exit_code command_approve(struct app *app, struct talk *t)
{
    bool has = false;
    enum exit_code code = talk_rejoin(t, &has);
    if (code == EXIT_ANSWERED && !has) {
        out_error(&app->out, STR("not_awaiting"), STR("nothing waits in this conversation"));
        code = EXIT_ERROR;
    }
    return code;
}

static void write_session(struct app *app, const json_t *one, struct buf *text)
{
    if (app->usage.json) {
        char *line = json_dumps(one, JSON_COMPACT);
        out_json(&app->out, str_of(line));
        free(line);
        return;
    }
    struct str at = json_text(json_object_get(one, "updated_at"));
    screen_clean(text, json_text(json_object_get(one, "session_id")), false);
    buf_puts(text, "  ");
    screen_clean(text, (struct str){at.at, at.len < 16 ? at.len : 16}, false);
    buf_puts(text, "  ");
    screen_short(text, json_text(json_object_get(one, "title")),
                 app->out.answer.width > 72 ? app->out.answer.width - 52 : 20);
    buf_putc(text, '\n');
}

static enum exit_code command_sessions(struct app *app)
{
    const struct usage *u = &app->usage;
    struct client_answer a;
    uint64_t limit = 20;
    scoped_buf(words, 8192);
    scoped_buf(path, 32768);
    scoped_buf(text, 4 << 20);
    if (u->limit && (!str_u64(str_of(u->limit), 200, &limit) || limit == 0))
        return wrong(app, "--limit is a number from 1 to 200");
    for (unsigned i = 0; i < u->count; i++)
        buf_printf(&words, i > 0 ? " %s" : "%s", u->arguments[i]);
    buf_printf(&path, "/sessions?limit=%u", (unsigned)limit);
    if (words.len > 0) {
        buf_puts(&path, "&q=");
        fetch_escape(&path, buf_str(&words));
    }
    client_call(app->client, "GET", buf_cstr(&path), NULL, NULL, &a);
    enum exit_code code = a.status != CLIENT_OK ? talk_failed(&app->out, &a) : EXIT_ANSWERED;
    for (size_t i = 0; code == EXIT_ANSWERED && i < json_array_size(a.body); i++)
        write_session(app, json_array_get(a.body, i), &text);
    out_drawn(&app->out, buf_str(&text));
    client_answer_free(&a);
    return code;
}
