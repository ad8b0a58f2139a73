/* A model's Markdown in the terminal: the same however it is cut, nothing but text and our own
 * styles in it. The first byte is the width and whether there are colours, the second how long the
 * pieces are. */
#include <locale.h>
#include <stdint.h>
#include "common/check.h"
#include "gateway/cli/markdown.h"

static void draw(const struct screen *s, struct str text, size_t piece, struct buf *out)
{
    struct markdown m;
    markdown_init(&m, s);
    while (text.len > 0) {
        size_t len = text.len < piece ? text.len : piece;
        markdown_add(&m, (struct str){text.at, len}, out);
        text = str_skip(text, len);
    }
    markdown_end(&m, out);
    markdown_free(&m);
}

/* Our styles are ESC [ numbers m. */
static void check_shown(struct str text, bool colour)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        CHECK(c != 0x7f && (c >= 0x20 || c == '\n' || (c == 0x1b && colour)));
        if (c != 0x1b)
            continue;
        CHECK(++i < text.len && text.at[i] == '[');
        for (i++; i < text.len && text.at[i] != 'm'; i++)
            CHECK((text.at[i] >= '0' && text.at[i] <= '9') || text.at[i] == ';');
        CHECK(i < text.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    setlocale(LC_CTYPE, "C.UTF-8");
    struct screen s = {.terminal = true, .colour = data[0] & 1, .width = 20 + data[0] % 100};
    struct str text = {(const char *)data + 2, size - 2};
    scoped_buf(whole, 64 << 20);
    scoped_buf(pieces, 64 << 20);
    draw(&s, text, text.len + 1, &whole);
    draw(&s, text, 1 + data[1] % 16, &pieces);
    CHECK(!whole.overflowed && str_eq(buf_str(&whole), buf_str(&pieces)));
    check_shown(buf_str(&whole), s.colour);
    scoped_buf(other, 64 << 20);
    screen_reveal(&other, text);
    screen_short(&other, text, s.width);
    screen_wrap(&other, buf_str(&whole), s.width, 0, 2);
    check_shown(buf_str(&other), s.colour);
    return 0;
}
