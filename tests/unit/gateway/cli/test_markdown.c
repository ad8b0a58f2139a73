/* Markdown as a terminal shows it, however it is cut into pieces. */
#include "tests/support/unit.h"

#include <locale.h>
#include "gateway/cli/markdown.h"

static struct screen screen = {.terminal = true, .width = 60};

static void draw(struct buf *out, const char *text, size_t piece)
{
    struct markdown m;
    struct str rest = str_of(text);
    markdown_init(&m, &screen);
    while (rest.len > 0) {
        size_t len = rest.len < piece ? rest.len : piece;
        markdown_add(&m, (struct str){rest.at, len}, out);
        rest = str_skip(rest, len);
    }
    markdown_end(&m, out);
    markdown_free(&m);
}

static void expect(const char *text, const char *drawn)
{
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        scoped_buf(out, 1 << 20);
        draw(&out, text, piece);
        assert_string_equal(buf_cstr(&out), drawn);
    }
}

static void text_is_drawn_without_its_marks(void **state)
{
    (void)state;
    screen.colour = false;
    expect("# Title\n\nSome **bold** and *it* and `x_y` and a_b_c.\n",
           "Title\n\nSome bold and it and x_y and a_b_c.\n");
    expect("- one\n- two\n  - deep\n1. first\n", "• one\n• two\n  • deep\n1. first\n");
    expect("> said\n", "│ said\n");
    expect("[docs](http://x/y) and [x]\n", "docs (http://x/y) and [x]\n");
    expect("2 * 3 * 4 and snake_case_name and \\*not\\*\n",
           "2 * 3 * 4 and snake_case_name and *not*\n");
    expect("**open and `half\n", "**open and `half\n");
}

static void styles_are_only_ours(void **state)
{
    (void)state;
    screen.colour = true;
    expect("**b** \033[31mred\n", "\033[1mb\033[22m [31mred\n");
    screen.colour = false;
    expect("a\033]0;x\007b\n```\n\033[2J\n```\n| \033[1m |\n", "a]0;xb\n    [2J\n[1m\n");
}

static void code_stays_as_it_is(void **state)
{
    (void)state;
    expect("```promql\nsum(rate(a[5m])) * 2\n\n# no title\n```\nafter\n",
           "    sum(rate(a[5m])) * 2\n    \n    # no title\nafter\n");
    expect("~~~\n```\n~~~\n", "    ```\n");
    expect("``` a ``` b\n", "a b\n");
    expect("```\nopen", "    open\n");
}

static void long_lines_wrap_with_their_indent(void **state)
{
    (void)state;
    screen.width = 20;
    expect("- aaaa bbbb cccc dddd eeee\n", "• aaaa bbbb cccc\n  dddd eeee\n");
    screen.width = 60;
}

static void tables_are_aligned(void **state)
{
    (void)state;
    expect("| pod | CPU |\n|---|---|\n| a | 1.5 |\n| longer | 12 % |\nx\n",
           "pod      CPU\n──────  ────\na        1.5\nlonger  12 %\nx\n");
    expect("| a \\| b | `c|d` |\n|---|---|\n| x | y |\n", "a | b  c|d\n─────  ───\nx      y\n");
}

static void too_wide_a_table_loses_nothing(void **state)
{
    (void)state;
    screen.width = 20;
    expect("| name | text |\n|---|---|\n| n | one two three four |\n",
           "• name: n\n  text: one two\n    three four\n");
    screen.width = 60;
}

static void hostile_text_takes_no_time(void **state)
{
    (void)state;
    static const char *const units[] = {"[", "*", "**a", "_", "` ", "| ", "[](", "\\", "~~ ", ">"};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        scoped_buf(text, 1 << 20);
        scoped_buf(out, 64 << 20);
        while (text.len < 300000)
            buf_puts(&text, units[i]);
        draw(&out, buf_cstr(&text), 1 << 20);
        assert_true(out.len > 0);
    }
}

static void line_without_end_is_drawn_in_parts(void **state)
{
    (void)state;
    enum { LONG = 3000000 };
    scoped_buf(text, LONG + 1);
    scoped_buf(out, 64 << 20);
    while (text.len < LONG)
        buf_putc(&text, 'x');
    draw(&out, buf_cstr(&text), 70001);
    size_t drawn = 0;
    for (size_t i = 0; i < out.len; i++)
        drawn += out.at[i] == 'x';
    assert_int_equal(drawn, LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_drawn_without_its_marks),
        cmocka_unit_test(styles_are_only_ours),
        cmocka_unit_test(code_stays_as_it_is),
        cmocka_unit_test(long_lines_wrap_with_their_indent),
        cmocka_unit_test(tables_are_aligned),
        cmocka_unit_test(too_wide_a_table_loses_nothing),
        cmocka_unit_test(hostile_text_takes_no_time),
        cmocka_unit_test(line_without_end_is_drawn_in_parts),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
