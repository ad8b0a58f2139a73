#include "gateway/cli/editor.h"

#include <errno.h>
#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_MOST = 1000 };

struct editor {
    EditLine *line;
    History *history;
    bool more; /* the question goes on in this line */
    char *path;
};

static char *history_path(void);
static enum editor_end read_one(struct editor *e, struct buf *text, bool *more);

static char *prompt(EditLine *line)
{
    static char first[] = "persai> ", next[] = "   ...> ";
    struct editor *e;
    el_get(line, EL_CLIENTDATA, &e);
    return e->more ? next : first;
}

struct editor *editor_new(void)
{
    HistEvent event;
    struct editor *e = xcalloc(1, sizeof(*e));
    e->line = el_init("persai", stdin, stdout, stderr);
    e->history = history_init();
    CHECK(e->line && e->history);
    history(e->history, &event, H_SETSIZE, HISTORY_MOST);
    history(e->history, &event, H_SETUNIQUE, 1);
    e->path = history_path();
    if (e->path)
        history(e->history, &event, H_LOAD, e->path);
    el_set(e->line, EL_CLIENTDATA, e);
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

static void on_interrupt(int signum) { (void)signum; }

enum editor_end editor_read(struct editor *e, struct buf *text)
{
    /* The loop's handler lets read() go on; here Ctrl-C must end it. */
    struct sigaction before, here = {.sa_handler = on_interrupt};
    bool more = true;
    enum editor_end end = EDITOR_LINE;
    sigaction(SIGINT, &here, &before);
    e->more = false;
    while (more && end == EDITOR_LINE) {
        end = read_one(e, text, &more);
        e->more = true;
    }
    sigaction(SIGINT, &before, NULL);
    if (end == EDITOR_LINE && str_trim(buf_str(text)).len > 0)
        remember(e, buf_cstr(text));
    return end;
}

static enum editor_end read_one(struct editor *e, struct buf *text, bool *more)
{
    int count = 0;
    errno = 0;
    const char *line = el_gets(e->line, &count);
    if (!line || count <= 0) {
        bool interrupted = errno == EINTR;
        if (interrupted)
            fputs("^C\n", stdout);
        el_reset(e->line);
        return interrupted ? EDITOR_INTERRUPTED : EDITOR_CLOSED;
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
