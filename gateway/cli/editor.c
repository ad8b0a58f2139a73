#include "gateway/cli/editor.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_MOST = 1000 };

struct editor {
    EditLine *line;
    History *history;
    bool more; /* the question goes on in this line */
    bool interrupted;
    int pressed[2]; /* a pipe: Ctrl-C, whenever it comes, ends the wait for the next character */
    char *path;
};
static int pressed_fd = -1; /* the one that the signal's handler writes to */

static char *history_path(void);
static enum editor_end read_one(struct editor *e, struct buf *text, bool *more);

static char *prompt(EditLine *line)
{
    static char first[] = "persai> ", next[] = "   ...> ";
    struct editor *e;
    el_get(line, EL_CLIENTDATA, &e);
    return e->more ? next : first;
}

/* False: Ctrl-C, or stdin can't be waited for. */
static bool wait_readable(struct editor *e)
{
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = e->pressed[0], .events = POLLIN}};
    char one;
    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return false;
    if (!fds[1].revents)
        return true;
    while (read(e->pressed[0], &one, 1) > 0)
        ;
    e->interrupted = true;
    return false;
}

/* As libedit reads, but for the wait: a signal just before read() would be lost. Bytes that are no
 * text are left out. */
static int next_char(EditLine *line, wchar_t *out)
{
    struct editor *e;
    mbstate_t state = {0};
    char byte;
    el_get(line, EL_CLIENTDATA, &e);
    for (;;) {
        if (!wait_readable(e))
            return -1;
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return (int)got;
        size_t len = mbrtowc(out, &byte, 1, &state);
        if (len <= 1)
            return 1;
        if (len == (size_t)-1)
            state = (mbstate_t){0};
    }
}

struct editor *editor_new(void)
{
    HistEvent event;
    struct editor *e = xcalloc(1, sizeof(*e));
    e->line = el_init("persai", stdin, stdout, stderr);
    e->history = history_init();
    CHECK(e->line && e->history);
    CHECK(pipe2(e->pressed, O_CLOEXEC | O_NONBLOCK) == 0);
    history(e->history, &event, H_SETSIZE, HISTORY_MOST);
    history(e->history, &event, H_SETUNIQUE, 1);
    e->path = history_path();
    if (e->path)
        history(e->history, &event, H_LOAD, e->path);
    el_set(e->line, EL_CLIENTDATA, e);
    el_set(e->line, EL_GETCFN, next_char);
    el_set(e->line, EL_PROMPT, prompt);
    el_set(e->line, EL_EDITOR, "emacs");
    el_set(e->line, EL_HIST, history, e->history);
    return e;
}

void editor_free(struct editor *e)
{
    if (!e)
        return;
    history_end(e->history);
    el_end(e->line);
    close(e->pressed[0]);
    close(e->pressed[1]);
    free(e->path);
    free(e);
}

/* NULL: there is no place for it, and nothing is kept. */
static char *history_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    scoped_buf(path, 4096);
    if (state && state[0] == '/')
        buf_printf(&path, "%s", state);
    else if (home && home[0] == '/')
        buf_printf(&path, "%s/.local/state", home);
    else
        return NULL;
    for (char *at = (char *)(uintptr_t)buf_cstr(&path) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path.at, 0755);
        *at = '/';
    }
    mkdir(buf_cstr(&path), 0755);
    buf_puts(&path, "/persai");
    mkdir(buf_cstr(&path), 0700);
    buf_puts(&path, "/history");
    return xstrdup(buf_cstr(&path));
}

/* After each question: the program may be killed. */
static void remember(struct editor *e, const char *text)
{
    HistEvent event;
    mode_t before = umask(077);
    history(e->history, &event, H_ENTER, text);
    if (e->path)
        history(e->history, &event, H_SAVE, e->path);
    umask(before);
}

static void on_interrupt(int signum)
{
    int before = errno;
    (void)signum;
    (void)!write(pressed_fd, "", 1);
    errno = before;
}

enum editor_end editor_read(struct editor *e, struct buf *text)
{
    /* The loop's handler would not be heard: the loop does not run here. */
    struct sigaction before, here = {.sa_handler = on_interrupt};
    bool more = true;
    enum editor_end end = EDITOR_LINE;
    pressed_fd = e->pressed[1];
    sigaction(SIGINT, &here, &before);
    el_resize(e->line);
    e->more = false;
    while (more && end == EDITOR_LINE) {
        end = read_one(e, text, &more);
        e->more = true;
    }
    sigaction(SIGINT, &before, NULL);
    /* What is typed during the answer waits unseen for the next prompt. Read by lines meanwhile, a
     * Ctrl-D would become a NUL, and words would stand in the answer's midst. */
    el_set(e->line, EL_PREP_TERM, 1);
    if (end == EDITOR_LINE && str_trim(buf_str(text)).len > 0)
        remember(e, buf_cstr(text));
    return end;
}

static enum editor_end read_one(struct editor *e, struct buf *text, bool *more)
{
    int count = 0;
    e->interrupted = false;
    el_set(e->line, EL_PREP_TERM, 1); /* el_gets() draws the prompt before it does so itself */
    const char *line = el_gets(e->line, &count);
    if (!line || count <= 0) {
        if (e->interrupted)
            fputs("^C\n", stdout);
        el_reset(e->line);
        return e->interrupted ? EDITOR_INTERRUPTED : EDITOR_CLOSED;
    }
    struct str got = {line, (size_t)count};
    while (got.len > 0 && (got.at[got.len - 1] == '\n' || got.at[got.len - 1] == '\r'))
        got.len--;
    *more = got.len > 0 && got.at[got.len - 1] == '\\';
    buf_add(text, got.at, *more ? got.len - 1 : got.len);
    if (*more)
        buf_putc(text, '\n');
    return EDITOR_LINE;
}
