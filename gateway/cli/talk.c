#include "gateway/cli/talk.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "common/fetch.h"
#include "common/json.h"
#include "common/loop.h"
#include "gateway/cli/calls.h"
#include "gateway/cli/show.h"

enum { PATH_BYTES_MAX = 4096 };

static enum exit_code follow(struct talk *t, struct id turn);
static enum exit_code ended(struct talk *t, const struct show *s, const struct client_answer *a);
static enum exit_code decide(struct talk *t, struct id turn, json_t **decisions);
static bool ask_person(struct talk *t, const json_t *call, bool *approve);
static enum exit_code resume(struct talk *t, struct id turn, json_t *take_decisions);
static void local_zone(char *out, size_t size);

enum exit_code talk_failed(struct out *out, const struct client_answer *a)
{
    struct str message = str_of(a->message), code = str_of(a->code);
    if (a->status == CLIENT_INTERRUPTED)
        return EXIT_CANCELLED;
    if (a->status == CLIENT_NOT_SIGNED_IN && !a->key_refused)
        message = STR("not signed in, or no longer: persai login");
    if (out->json) {
        scoped_buf(line, 4096);
        buf_puts(&line, "{\"event_type\":\"error\",\"code\":");
        json_str(&line, code.len > 0                        ? code
                        : a->status == CLIENT_NOT_SIGNED_IN ? STR("unauthenticated")
                                                            : STR("no_answer"));
        json_field(&line, "message", message);
        buf_putc(&line, '}');
        out_json(out, buf_str(&line));
    }
    out_error(out, code, message);
    return a->status == CLIENT_NOT_SIGNED_IN ? EXIT_NOT_SIGNED_IN : EXIT_ERROR;
}

/* ---- conversations ---- */

static void new_key(char out[ID_TEXT + 1]) { id_text(id_new(), out); }

static bool take_id(const json_t *object, const char *key, struct id *id)
{
    return id_parse(json_text(json_object_get(object, key)), id);
}

static enum exit_code strange(struct out *out)
{
    out_error(out, (struct str){0}, STR("PersAI's answer can't be understood"));
    return EXIT_ERROR;
}

enum exit_code talk_begin(struct talk *t)
{
    char key[ID_TEXT + 1];
    struct client_answer a;
    json_t *body = json_object();
    new_key(key);
    client_call(t->client, "POST", "/session", body, key, &a);
    json_decref(body);
    enum exit_code code = a.status != CLIENT_OK                        ? talk_failed(t->out, &a)
                          : take_id(a.body, "session_id", &t->session) ? EXIT_ANSWERED
                                                                       : strange(t->out);
    client_answer_free(&a);
    t->made = code == EXIT_ANSWERED;
    return code;
}

void talk_drop(struct talk *t)
{
    char session[ID_TEXT + 1];
    struct client_answer a;
    scoped_buf(path, PATH_BYTES_MAX);
    id_text(t->session, session);
    buf_printf(&path, "/session/%s", session);
    client_call(t->client, "DELETE", buf_cstr(&path), NULL, NULL, &a);
    client_answer_free(&a);
}

enum exit_code talk_latest(struct talk *t, bool *found)
{
    struct client_answer a;
    client_call(t->client, "GET", "/sessions?limit=1", NULL, NULL, &a);
    enum exit_code code = a.status != CLIENT_OK ? talk_failed(t->out, &a) : EXIT_ANSWERED;
    *found = code == EXIT_ANSWERED && take_id(json_array_get(a.body, 0), "session_id", &t->session);
    client_answer_free(&a);
    return code;
}

void talk_address(const struct talk *t)
{
    char session[ID_TEXT + 1];
    id_text(t->session, session);
    if (t->out->json)
        return;
    if (t->perses)
        out_note(t->out,
                 "%s/explore?explorer=PersAI-PersAIExplorer&data=%%7B%%22session%%22%%3A%%22%s"
                 "%%22%%7D",
                 t->perses, session);
    else
        out_note(t->out, "conversation %s", session);
}

static int64_t now_ms(void) { return (int64_t)(loop_hr_ns() / 1000000); }

void talk_timing(const struct talk *t)
{
    double answered = (double)(now_ms() - t->asked_ms) / 1000;
    if (t->first_ms)
        out_note(t->out, "first token after %.1f s, answered in %.1f s",
                 (double)(t->first_ms - t->asked_ms) / 1000, answered);
    else
        out_note(t->out, "no text, ended after %.1f s", answered);
}

/* ---- a question ---- */

static json_t *turn_body(const struct talk *t, const char *question)
{
    char zone[128];
    local_zone(zone, sizeof(zone));
    json_t *body = json_pack("{s:s,s:{s:{s:s},s:s}}", "message", question, "context", "time_range",
                             "duration", t->range ? t->range : "1h", "timezone", zone);
    if (body && t->model)
        json_object_set_new(body, "model", json_string(t->model));
    return body;
}

enum exit_code talk_ask(struct talk *t, const char *question)
{
    char session[ID_TEXT + 1], key[ID_TEXT + 1];
    struct client_answer a;
    struct id turn;
    scoped_buf(path, PATH_BYTES_MAX);
    json_t *body = turn_body(t, question);
    t->refused = !body;
    if (!body) {
        out_error(t->out, STR("invalid"), STR("the question is not valid UTF-8"));
        return EXIT_USAGE;
    }
    t->asked_ms = now_ms();
    t->first_ms = 0;
    id_text(t->session, session);
    new_key(key);
    buf_printf(&path, "/session/%s/turn?datasource_path=", session);
    fetch_escape(&path, str_of(t->datasource));
    client_call(t->client, "POST", buf_cstr(&path), body, key, &a);
    json_decref(body);
    enum exit_code code = EXIT_ANSWERED;
    t->refused = a.status == CLIENT_REFUSED;
    if (a.status != CLIENT_OK)
        code = talk_failed(t->out, &a);
    else if (!take_id(a.body, "turn_id", &turn))
        code = strange(t->out);
    client_answer_free(&a);
    return code == EXIT_ANSWERED ? follow(t, turn) : code;
}

/* The conversation's turn that is not over, as GET /session/ID tells; take_answer: to be freed. */
static enum exit_code open_turn(struct talk *t, struct client_answer *take_answer,
                                const json_t **turn)
{
    char path[64], session[ID_TEXT + 1];
    id_text(t->session, session);
    snprintf(path, sizeof(path), "/session/%s", session);
    client_call(t->client, "GET", path, NULL, NULL, take_answer);
    *turn = json_object_get(take_answer->body, "turn");
    return take_answer->status != CLIENT_OK ? talk_failed(t->out, take_answer) : EXIT_ANSWERED;
}

enum exit_code talk_rejoin(struct talk *t, bool *has)
{
    struct client_answer a;
    const json_t *running;
    struct id turn;
    enum exit_code code = open_turn(t, &a, &running);
    *has = code == EXIT_ANSWERED && take_id(running, "turn_id", &turn);
    client_answer_free(&a);
    return *has ? follow(t, turn) : code;
}

/* ---- its events ---- */

static bool on_event(void *arg, const json_t *payload)
{
    return show_event(arg, payload, now_ms());
}

/* To its end, asking on the way. What is decided goes on in the same stream, behind the event that
 * asked. */
static enum exit_code follow(struct talk *t, struct id turn)
{
    char after[64] = "";
    enum exit_code code = EXIT_AWAITING;
    while (code == EXIT_AWAITING) {
        struct show s;
        struct client_answer a;
        json_t *decisions = NULL;
        show_init(&s, t->out);
        client_follow(t->client, t->session, turn, after, on_event, &s, &a);
        show_free(&s);
        snprintf(after, sizeof(after), "%s", client_last_event(t->client));
        t->first_ms = t->first_ms ? t->first_ms : s.first_ms;
        code = ended(t, &s, &a);
        client_answer_free(&a);
        if (code != EXIT_AWAITING)
            return code;
        code = decide(t, turn, &decisions);
        if (code == EXIT_AWAITING)
            return code;
        if (decisions)
            code = resume(t, turn, decisions);
        code = code == EXIT_ANSWERED ? EXIT_AWAITING : code;
    }
    return code;
}

static enum exit_code ended(struct talk *t, const struct show *s, const struct client_answer *a)
{
    static const enum exit_code codes[] = {[SHOW_GOES_ON] = EXIT_ERROR,
                                           [SHOW_ANSWERED] = EXIT_ANSWERED,
                                           [SHOW_FAILED] = EXIT_ERROR,
                                           [SHOW_CANCELLED] = EXIT_CANCELLED,
                                           [SHOW_AWAITING] = EXIT_AWAITING};
    if (a->status != CLIENT_OK) {
        out_text_end(t->out);
        return talk_failed(t->out, a);
    }
    return codes[s->end];
}

/* ---- approvals ---- */

static enum exit_code nobody(struct talk *t)
{
    char session[ID_TEXT + 1];
    id_text(t->session, session);
    out_note(t->out, "a tool call waits for a decision: persai approve %s", session);
    return EXIT_AWAITING;
}

/* The decisions on what waits now; none where somebody decided elsewhere or it is a past question
 * that was read again. EXIT_AWAITING: nobody is there to ask. */
static enum exit_code decide(struct talk *t, struct id turn, json_t **decisions)
{
    struct client_answer a;
    const json_t *open;
    struct id waiting;
    enum exit_code code = open_turn(t, &a, &open);
    const json_t *asks = json_object_get(open, "tool_calls");
    bool waits = code == EXIT_ANSWERED && take_id(open, "turn_id", &waiting) &&
                 id_eq(waiting, turn) && json_array_size(asks) > 0;
    *decisions = waits ? json_array() : NULL;
    for (size_t i = 0; waits && i < json_array_size(asks); i++) {
        const json_t *call = json_array_get(asks, i);
        bool approve = t->yes;
        if (!t->yes && !t->refuse && !ask_person(t, call, &approve)) {
            json_decref(*decisions);
            *decisions = NULL;
            code = nobody(t);
            break;
        }
        json_t *one = json_pack("{s:O,s:b}", "call_id", json_object_get(call, "call_id"), "approve",
                                (int)approve);
        json_t *hash = json_object_get(call, "arguments_hash");
        if (hash)
            json_object_set(one, "arguments_hash", hash);
        json_array_append_new(*decisions, one);
    }
    client_answer_free(&a);
    return code;
}

/* On the terminal itself: stdin may be the question. Anything but a yes is a no; what was typed
 * before the call was seen is neither. */
static bool ask_person(struct talk *t, const json_t *call, bool *approve)
{
    char line[64] = "";
    struct termios before, by_line;
    scoped_buf(text, 4 << 20);
    FILE *tty = t->out->json ? NULL : fopen("/dev/tty", "r+e");
    if (!tty)
        return false;
    bool known = tcgetattr(fileno(tty), &before) == 0;
    by_line = before;
    by_line.c_lflag |= ICANON | ECHO;
    if (known)
        tcsetattr(fileno(tty), TCSAFLUSH, &by_line);
    call_ask(&text, &t->out->notes, call);
    buf_puts(&text, "Approve? [y/N] ");
    fwrite(text.at, 1, text.len, tty);
    fflush(tty);
    *approve = fgets(line, sizeof(line), tty) && (line[0] == 'y' || line[0] == 'Y');
    if (known)
        tcsetattr(fileno(tty), TCSADRAIN, &before);
    fclose(tty);
    return true;
}

static enum exit_code resume(struct talk *t, struct id turn, json_t *take_decisions)
{
    char path[160], text[2][ID_TEXT + 1];
    struct client_answer a;
    json_t *body = json_pack("{s:o}", "decisions", take_decisions);
    id_text(t->session, text[0]);
    id_text(turn, text[1]);
    snprintf(path, sizeof(path), "/session/%s/turn/%s/resume", text[0], text[1]);
    client_call(t->client, "POST", path, body, NULL, &a);
    json_decref(body);
    enum exit_code code = a.status != CLIENT_OK ? talk_failed(t->out, &a) : EXIT_ANSWERED;
    client_answer_free(&a);
    return code;
}

/* ---- where we are ---- */

/* This machine's time zone by name, for "since this morning". */
static void local_zone(char *out, size_t size)
{
    const char *tz = getenv("TZ");
    char path[PATH_MAX];
    char *real = tz && *tz ? NULL : realpath("/etc/localtime", path);
    char *name = real ? strstr(real, "/zoneinfo/") : NULL;
    snprintf(out, size, "%s", tz && *tz ? tz : name ? name + strlen("/zoneinfo/") : "UTC");
    for (const char *at = out; *at; at++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-", *at)) {
            snprintf(out, size, "UTC");
            return;
        }
}
