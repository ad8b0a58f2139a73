#include "worker/tools/prometheus/match.h"

#include <string.h>
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/source.h"

bool match_param(struct tool_run *r, struct buf *form, struct str selector, const char *name)
{
    struct guard_query guard;
    scoped_buf(metric, NAME_BYTES_MAX);
    scoped_buf(written, NAME_BYTES_MAX * 2 + 8);
    bool escapes = selector.len > 0 && memchr(selector.at, '\\', selector.len); /* MetricsQL's */
    if ((strcmp(name, "metric") == 0 || !escapes) && name_read(selector, true, &metric)) {
        name_selector(&written, buf_str(&metric), STR(""));
        source_param(form, "match[]", buf_str(&written));
        return true;
    }
    if (!guard_read(&guard, selector)) {
        run_fail(r, "bad_arguments", "%s", guard.error);
        return false;
    }
    if (guard.selector_count != 1 || !str_eq(guard.selectors[0].text, guard.text)) {
        run_fail(r, "bad_arguments", "The argument \"%s\" must be %s and nothing else.", name,
                 strcmp(name, "metric") == 0 ? "the name of a metric"
                                             : "one selector, as up{job=\"node\"},");
        return false;
    }
    source_param(form, "match[]", guard.text);
    return true;
}

bool match_family(struct buf *form, struct str selector)
{
    scoped_buf(metric, NAME_BYTES_MAX);
    scoped_buf(written, NAME_BYTES_MAX * 4);
    struct str matchers = selector, head = {NULL, 0};
    bool braces = selector.len > 0 && selector.at[selector.len - 1] == '}' &&
                  str_split(&matchers, '{', &head) && name_is_classic(str_trim(head), true);
    if (braces)
        matchers.len--;
    if (!name_read(braces ? str_trim(head) : selector, true, &metric))
        return false;
    name_family(&written, buf_str(&metric), braces ? str_trim(matchers) : STR(""));
    if (written.overflowed)
        return false;
    source_param(form, "match[]", buf_str(&written));
    return true;
}
