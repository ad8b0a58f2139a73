#include "gateway/cli/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DRAWN_BYTES_MAX = 64 << 20, NOTE_BYTES_MAX = 1 << 20 };

static void put(struct out *o, int fd, struct str text);

void out_init(struct out *o, bool json, bool verbose)
{
    *o = (struct out){.answer = screen_of(STDOUT_FILENO),
                      .notes = screen_of(STDERR_FILENO),
                      .json = json,
                      .verbose = verbose};
    markdown_init(&o->markdown, &o->answer);
}

void out_measure(struct out *o)
{
    o->answer.width = screen_of(STDOUT_FILENO).width;
    o->notes.width = screen_of(STDERR_FILENO).width;
}

void out_free(struct out *o) { markdown_free(&o->markdown); }

/* A pipe that nobody reads any more is the reader's wish, not a fault: head and the like. What else
 * keeps an answer from stdout is remembered: a script must not take half of one for the whole. */
static void put(struct out *o, int fd, struct str text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.at, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (fd == STDOUT_FILENO && errno != EPIPE)
                o->lost = errno;
            return;
        }
        text = str_skip(text, (size_t)n);
    }
}

bool out_whole(struct out *o)
{
    if (o->lost == 0)
        return true;
    scoped_buf(line, 256);
    buf_printf(&line, "stdout can't be written: %s", strerror(o->lost));
    out_error(o, (struct str){0}, buf_str(&line));
    return false;
}

void out_text(struct out *o, struct str text)
{
    scoped_buf(drawn, DRAWN_BYTES_MAX);
    if (o->json || text.len == 0)
        return;
    if (o->answer.terminal)
        markdown_add(&o->markdown, text, &drawn);
    else
        screen_clean(&drawn, text, true);
    out_drawn(o, buf_str(&drawn));
}

void out_text_end(struct out *o)
{
    scoped_buf(drawn, DRAWN_BYTES_MAX);
    markdown_end(&o->markdown, &drawn);
    if (o->in_line && drawn.len == 0)
        buf_putc(&drawn, '\n');
    out_drawn(o, buf_str(&drawn));
}

void out_drawn(struct out *o, struct str text)
{
    if (o->json || text.len == 0)
        return;
    put(o, STDOUT_FILENO, text);
    o->in_line = text.at[text.len - 1] != '\n';
}

void out_note_drawn(struct out *o, struct str text)
{
    out_text_end(o);
    put(o, STDERR_FILENO, text);
}

void out_note(struct out *o, const char *format, ...)
{
    scoped_buf(line, NOTE_BYTES_MAX * 4);
    char *made = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&made, format, args);
    va_end(args);
    CHECK(len >= 0);
    style_on(&line, &o->notes, STYLE_DIM);
    screen_clean(&line, (struct str){made, (size_t)len}, false);
    style_off(&line, &o->notes, STYLE_DIM);
    buf_putc(&line, '\n');
    free(made);
    out_note_drawn(o, buf_str(&line));
}

void out_error(struct out *o, struct str code, struct str message)
{
    scoped_buf(line, NOTE_BYTES_MAX * 4);
    style_on(&line, &o->notes, STYLE_BAD);
    buf_puts(&line, "error: ");
    style_off(&line, &o->notes, STYLE_BAD);
    screen_clean(&line, message, false);
    if (code.len > 0) {
        buf_puts(&line, " (");
        screen_clean(&line, code, false);
        buf_putc(&line, ')');
    }
    buf_putc(&line, '\n');
    out_note_drawn(o, buf_str(&line));
}

void out_json(struct out *o, struct str line)
{
    if (!o->json)
        return;
    scoped_buf(clean, DRAWN_BYTES_MAX);
    if (o->answer.terminal) { /* JSON escapes of what drives one the first 32 characters only */
        screen_clean(&clean, line, false);
        line = buf_str(&clean);
    }
    put(o, STDOUT_FILENO, line);
    put(o, STDOUT_FILENO, STR("\n"));
}
