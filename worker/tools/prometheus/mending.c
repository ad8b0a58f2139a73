#include "worker/tools/prometheus/mending.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mending_replace(struct mending *m, struct str text, struct str with)
{
    if (m->count < MENDING_EDITS_MAX)
        m->edits[m->count++] = (struct mending_edit){text.at, text.len, str_dup(with)};
}

void mending_behind(struct mending *m, const struct token *k, const char *text)
{
    mending_replace(m, (struct str){k->text.at + k->text.len, 0}, str_of(text));
}

void mending_before(struct mending *m, const struct token *k, const char *text)
{
    mending_replace(m, (struct str){k->text.at, 0}, str_of(text));
}

void mending_say(struct mending *m, const char *format, ...)
{
    char text[MENDING_WHAT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (m->what->len > 0 && memmem(m->what->at, m->what->len, text, strlen(text)) != NULL)
        return;
    if (m->what->len > 0)
        buf_putc(m->what, ' ');
    buf_puts(m->what, text);
}

bool mending_finish(struct mending *m, struct buf *mended)
{
    struct str query = m->t->query;
    const char *at = query.at;
    bool any = m->count > 0;
    while (m->count > 0) {
        unsigned first = 0;
        for (unsigned i = 1; i < m->count; i++)
            if (m->edits[i].from < m->edits[first].from)
                first = i;
        struct mending_edit e = m->edits[first];
        memmove(&m->edits[first], &m->edits[first + 1], (--m->count - first) * sizeof(e));
        if (e.from >= at) {
            buf_add(mended, at, (size_t)(e.from - at));
            buf_puts(mended, e.with);
            at = e.from + e.len;
        }
        free(e.with);
    }
    buf_add(mended, at, (size_t)(query.at + query.len - at));
    return any && !mended->overflowed;
}
