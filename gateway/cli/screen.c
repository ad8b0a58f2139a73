#include "gateway/cli/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include "common/utf8.h"

enum { WIDTH_USUAL = 80, WIDTH_LEAST = 20, WIDTH_MOST = 500 };

static bool harmful(uint32_t c, size_t len);
static unsigned char_width(uint32_t c);
static size_t style_len(struct str text);
static struct str word_of(struct str text);

/* ---- styles ---- */

struct screen screen_of(int fd)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    struct screen s = {.terminal = isatty(fd), .width = WIDTH_USUAL};
    struct winsize size;
    if (s.terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        s.width = size.ws_col;
    if (s.width < WIDTH_LEAST || s.width > WIDTH_MOST)
        s.width = s.width < WIDTH_LEAST ? WIDTH_LEAST : WIDTH_MOST;
    s.colour =
        s.terminal && !(no_colour && *no_colour) && term && *term && !str_is(str_of(term), "dumb");
    return s;
}

void style_on(struct buf *b, const struct screen *s, enum style style)
{
    static const char *const codes[] = {
        [STYLE_NONE] = "",          [STYLE_BOLD] = "\033[1m",  [STYLE_DIM] = "\033[2m",
        [STYLE_ITALIC] = "\033[3m", [STYLE_CODE] = "\033[36m", [STYLE_LINK] = "\033[4m",
        [STYLE_GOOD] = "\033[32m",  [STYLE_BAD] = "\033[31m"};
    if (s->colour)
        buf_puts(b, codes[style]);
}

void style_off(struct buf *b, const struct screen *s, enum style style)
{
    static const char *const codes[] = {
        [STYLE_NONE] = "",           [STYLE_BOLD] = "\033[22m", [STYLE_DIM] = "\033[22m",
        [STYLE_ITALIC] = "\033[23m", [STYLE_CODE] = "\033[39m", [STYLE_LINK] = "\033[24m",
        [STYLE_GOOD] = "\033[39m",   [STYLE_BAD] = "\033[39m"};
    if (s->colour)
        buf_puts(b, codes[style]);
}

void style_series(struct buf *b, const struct screen *s, unsigned series)
{
    static const unsigned colours[] = {36, 33, 35, 32, 34, 31};
    if (s->colour)
        buf_printf(b, "\033[%um", colours[series % (sizeof(colours) / sizeof(colours[0]))]);
}

/* ---- text of others ---- */

/* Of a character that was decoded from len bytes. */
static bool harmful(uint32_t c, size_t len)
{
    return c < 0x20 || utf8_invisible(c) || (c == 0xfffd && len == 1);
}

void screen_clean(struct buf *b, struct str text, bool lines)
{
    const unsigned char *at = (const unsigned char *)text.at;
    for (size_t i = 0, len; i < text.len; i += len) {
        uint32_t c = utf8_decode(at + i, text.len - i, &len);
        if (c == '\n' && lines)
            buf_putc(b, '\n');
        else if (c == '\n')
            buf_putc(b, ' ');
        else if (c == '\t')
            buf_puts(b, lines ? "    " : " ");
        else if (c == 0xfffd && len == 1)
            buf_puts(b, "\xef\xbf\xbd");
        else if (!harmful(c, len))
            buf_add(b, at + i, len);
    }
}

void screen_reveal(struct buf *b, struct str text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    for (size_t i = 0, len; i < text.len; i += len) {
        uint32_t c = utf8_decode(at + i, text.len - i, &len);
        if (c == 0xfffd && len == 1)
            buf_printf(b, "<%02X>", at[i]);
        else if (c != '\n' && harmful(c, len))
            buf_printf(b, "<U+%04X>", c);
        else
            buf_add(b, at + i, len);
    }
}

void screen_short(struct buf *b, struct str text, unsigned columns)
{
    enum { CLEAN_MAX = 16384 }; /* far more than any terminal's columns */
    scoped_buf(clean, CLEAN_MAX * 4);
    screen_clean(&clean, (struct str){text.at, text.len < CLEAN_MAX ? text.len : CLEAN_MAX}, false);
    struct str rest = str_trim(buf_str(&clean));
    bool whole = screen_width(rest) <= columns;
    unsigned used = 0, room = whole ? columns : columns > 0 ? columns - 1 : 0;
    for (size_t len; rest.len > 0; rest = str_skip(rest, len)) {
        used += char_width(utf8_decode((const unsigned char *)rest.at, rest.len, &len));
        if (used > room)
            break;
        buf_add(b, rest.at, len);
    }
    if (!whole)
        buf_puts(b, "…");
}

/* ---- columns ---- */

static unsigned char_width(uint32_t c)
{
    int width = wcwidth((wchar_t)c);
    return width < 0 ? 1 : (unsigned)width;
}

/* Of one of our own styles that the text begins with, or 0. */
static size_t style_len(struct str text)
{
    size_t i = 2;
    if (text.len < 3 || text.at[0] != '\033' || text.at[1] != '[')
        return 0;
    while (i < text.len && text.at[i] != 'm')
        i++;
    return i < text.len ? i + 1 : 0;
}

unsigned screen_width(struct str text)
{
    unsigned width = 0;
    for (size_t len; text.len > 0; text = str_skip(text, len)) {
        len = style_len(text);
        if (len == 0)
            width += char_width(utf8_decode((const unsigned char *)text.at, text.len, &len));
    }
    return width;
}

static struct str word_of(struct str text)
{
    size_t len = 0;
    while (len < text.len && text.at[len] != ' ')
        len++;
    return (struct str){text.at, len};
}

void screen_wrap(struct buf *b, struct str text, unsigned width, unsigned first, unsigned hang)
{
    unsigned column = first, least = first;
    while ((text = str_trim(text)).len > 0) {
        struct str word = word_of(text);
        unsigned wide = screen_width(word);
        if (column > least && column + 1 + wide > width) {
            buf_printf(b, "\n%*s", (int)hang, "");
            column = least = hang;
        } else if (column > least) {
            buf_putc(b, ' ');
            column++;
        }
        buf_add_str(b, word);
        column += wide;
        text = str_skip(text, word.len);
    }
    buf_putc(b, '\n');
}
