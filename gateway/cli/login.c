#include "gateway/cli/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "common/fetch.h"
#include "common/json.h"
#include "common/loop.h"

enum { LINE_BYTES_MAX = 1024 };

static enum exit_code read_sign_in(struct out *out, struct str name, bool from_stdin,
                                   struct secret **body);
static bool read_line(int fd, struct buf *line);
static bool read_hidden(const char *prompt, struct buf *line);
static enum exit_code poll_token(struct client *c, struct out *out, const char *path,
                                 const json_t *device);

static enum exit_code wrong(struct out *out, const char *sentence)
{
    out_error(out, (struct str){0}, str_of(sentence));
    return EXIT_USAGE;
}

/* Perses answers 400 to a wrong password. */
static enum exit_code take_tokens(struct client *c, struct out *out, struct client_answer *a)
{
    bool fine = a->status == CLIENT_OK && client_sign_in(c, a->body);
    enum exit_code code = EXIT_ANSWERED;
    if (!fine && (a->status == CLIENT_REFUSED || a->status == CLIENT_NOT_SIGNED_IN)) {
        out_error(out, str_of(a->code), str_of(a->message));
        code = EXIT_NOT_SIGNED_IN;
    } else if (!fine) {
        code = talk_failed(out, a);
        code = code == EXIT_ANSWERED ? EXIT_ERROR : code;
    }
    client_answer_free(a);
    return code;
}

/* ---- name and password ---- */

enum exit_code login_native(struct client *c, struct out *out, const char *user, bool from_stdin)
{
    struct client_answer a;
    struct secret *body = NULL;
    scoped_buf(name, LINE_BYTES_MAX);
    if (user) {
        buf_puts(&name, user);
    } else {
        if (from_stdin || !isatty(STDIN_FILENO))
            return wrong(out, "whose password is it? --user NAME");
        fputs("Name: ", stderr);
        if (!read_line(STDIN_FILENO, &name))
            return EXIT_CANCELLED;
    }
    enum exit_code code = read_sign_in(out, buf_str(&name), from_stdin, &body);
    if (code != EXIT_ANSWERED)
        return code;
    client_perses_secret(c, "/api/auth/providers/native/login", "application/json", body, &a);
    return take_tokens(c, out, &a);
}

/* Of the password nothing is left but the body. */
static enum exit_code read_sign_in(struct out *out, struct str name, bool from_stdin,
                                   struct secret **body)
{
    scoped_buf(password, LINE_BYTES_MAX);
    scoped_buf(text, SECRET_MAX);
    buf_keep_secret(&password);
    buf_keep_secret(&text);
    if (from_stdin ? !read_line(STDIN_FILENO, &password) : !read_hidden("Password: ", &password))
        return wrong(out, from_stdin
                              ? "there is no password on stdin"
                              : "there is no terminal to ask for the password: --password-stdin");
    if (!str_utf8(name) || !str_utf8(buf_str(&password)))
        return wrong(out, "name and password must be valid UTF-8");
    buf_putc(&text, '{');
    json_field(&text, "login", name);
    json_field(&text, "password", buf_str(&password));
    buf_putc(&text, '}');
    *body = secret_new(buf_str(&text));
    return EXIT_ANSWERED;
}

/* Byte by byte: what comes behind the line is not ours. False: nothing came. */
static bool read_line(int fd, struct buf *line)
{
    char byte;
    ssize_t n;
    while ((n = read(fd, &byte, 1)) == 1 && byte != '\n')
        if (byte != '\r')
            buf_putc(line, byte);
    return n == 1 || line->len > 0;
}

/* From the terminal, whatever stdin is; its echo is off meanwhile. */
static bool read_hidden(const char *prompt, struct buf *line)
{
    struct termios before, hidden;
    FILE *tty = fopen("/dev/tty", "r+e");
    if (!tty)
        return false;
    int fd = fileno(tty);
    bool fine = tcgetattr(fd, &before) == 0;
    hidden = before;
    hidden.c_lflag &= (tcflag_t) ~(ECHO | ISIG);
    fine = fine && tcsetattr(fd, TCSAFLUSH, &hidden) == 0;
    if (fine) {
        fputs(prompt, tty);
        fflush(tty);
        fine = read_line(fd, line) && !(line->len > 0 && memchr(line->at, 3, line->len));
        tcsetattr(fd, TCSAFLUSH, &before);
        fputc('\n', tty);
    }
    fclose(tty);
    return fine;
}

/* ---- a provider's device code ---- */

static bool provider_fine(const char *provider)
{
    const char *slash = strchr(provider, '/');
    size_t kind = slash ? (size_t)(slash - provider) : 0;
    return ((kind == 4 && strncmp(provider, "oidc", 4) == 0) ||
            (kind == 5 && strncmp(provider, "oauth", 5) == 0)) &&
           slash[1] &&
           strspn(slash + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                             "0123456789._-") == strlen(slash + 1);
}

enum exit_code login_device(struct client *c, struct out *out, const char *provider)
{
    char path[300], token_path[300];
    struct client_answer a;
    if (!provider_fine(provider) || strlen(provider) > 200)
        return wrong(out, "--provider is oidc/ID or oauth/ID, as Perses's configuration has it");
    snprintf(path, sizeof(path), "/api/auth/providers/%s/device/code", provider);
    snprintf(token_path, sizeof(token_path), "/api/auth/providers/%s/token", provider);
    client_perses(c, "POST", path, NULL, false, &a);
    if (a.http_status == 404 || a.http_status == 405) /* Perses 0.54 says no more than that */
        snprintf(a.message, sizeof(a.message), "this Perses has no provider %s", provider);
    enum exit_code code = a.status != CLIENT_OK ? talk_failed(out, &a) : EXIT_ANSWERED;
    struct str where = json_text(json_object_get(a.body, "verification_uri_complete"));
    struct str address = json_text(json_object_get(a.body, "verification_uri"));
    struct str user_code = json_text(json_object_get(a.body, "user_code"));
    if (code == EXIT_ANSWERED) {
        if (where.len == 0)
            where = address;
        out_note(out, "open %.*s in a browser and enter the code %.*s", (int)where.len,
                 where.at ? where.at : "", (int)user_code.len, user_code.at ? user_code.at : "");
        code = poll_token(c, out, token_path, a.body);
    }
    client_answer_free(&a);
    return code;
}

/* RFC 8628, 3.5. Perses answers 401, 400 or 500 while the person has not agreed: it hands on what
 * the provider says, each in its own way; so we ask until the code expires. */
static enum exit_code poll_token(struct client *c, struct out *out, const char *path,
                                 const json_t *device)
{
    enum { INTERVAL_S = 5, SLOWER_S = 5, EXPIRES_S = 600, EXPIRES_MOST_S = 3600 };
    struct str code = json_text(json_object_get(device, "device_code"));
    json_int_t interval = json_integer_value(json_object_get(device, "interval"));
    json_int_t expires = json_integer_value(json_object_get(device, "expires_in"));
    int64_t every_ms = (interval > 0 && interval < 60 ? interval : INTERVAL_S) * 1000;
    int64_t till =
        loop_wall_ms() + (expires > 0 && expires < EXPIRES_MOST_S ? expires : EXPIRES_S) * 1000;
    scoped_buf(form, 8192);
    buf_keep_secret(&form);
    buf_puts(&form,
             "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=");
    fetch_escape(&form, code);
    while (loop_wall_ms() < till) {
        struct client_answer a;
        client_wait(c, every_ms);
        if (client_interrupted(c))
            return EXIT_CANCELLED;
        client_perses_secret(c, path, "application/x-www-form-urlencoded",
                             secret_new(buf_str(&form)), &a);
        if (strcmp(a.code, "access_denied") == 0 || strcmp(a.code, "expired_token") == 0 ||
            a.status == CLIENT_OK || a.status == CLIENT_LOST || a.status == CLIENT_INTERRUPTED)
            return take_tokens(c, out, &a);
        every_ms += strcmp(a.code, "slow_down") == 0 ? SLOWER_S * 1000 : 0;
        client_answer_free(&a);
    }
    out_error(out, STR("expired_token"), STR("the code has expired; sign in again"));
    return EXIT_NOT_SIGNED_IN;
}
