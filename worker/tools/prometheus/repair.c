#include "worker/tools/prometheus/repair.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/prometheus/mend.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/prometheus/tokens.h"
#include "worker/tools/text.h"

enum { NOTES_BYTES_MAX = 8192, WHAT_BYTES_MAX = 2000, NEAR_DISTANCE = 3 };

void repair_refuse(struct tool_run *r, const char *code, const char *error, struct str query)
{
    scoped_buf(mended, MEND_BYTES_MAX);
    scoped_buf(what, WHAT_BYTES_MAX);
    struct guard_query *guard = xcalloc(1, sizeof(*guard));
    buf_puts(&what, error);
    if (mend_syntax(query, &mended, &what) && !what.overflowed &&
        guard_read(guard, buf_str(&mended)))
        run_refuse(r, code, buf_cstr(&what), buf_str(&mended));
    else
        run_refuse(r, code, error, (struct str){NULL, 0});
    free(guard);
}

/* ---- what it means ---- */

void repair_init(struct repair *p)
{
    buf_init(&p->notes, NOTES_BYTES_MAX);
    buf_init(&p->if_empty, NOTES_BYTES_MAX);
}

void repair_free(struct repair *p)
{
    buf_free(&p->notes);
    buf_free(&p->if_empty);
}

static enum mend_type type_of(void *arg, struct str metric)
{
    const struct catalog *c = arg;
    const struct catalog_metric *m = c ? catalog_find(c, metric) : NULL;
    const char *type = m ? catalog_type(m) : "";
    return strcmp(type, "counter") == 0                                     ? MEND_COUNTER
           : strcmp(type, "gauge") == 0                                     ? MEND_GAUGE
           : strcmp(type, "histogram") == 0 || strcmp(type, "summary") == 0 ? MEND_HISTOGRAM
                                                                            : MEND_UNKNOWN;
}

struct judgement {
    struct repair *p;
    struct tool_run *run;
    bool refused;
};

static void add(struct buf *notes, struct str what, struct str mended)
{
    size_t before = notes->len;
    scoped_buf(text, MEND_BYTES_MAX);
    buf_add_str(&text, what);
    buf_puts(&text, " Try: ");
    buf_add_str(&text, mended);
    buf_puts(notes, before > 0 ? "," : "");
    text_json(notes, buf_str(&text), WHAT_BYTES_MAX);
    if (notes->overflowed) {
        notes->len = before;
        notes->overflowed = false;
    }
}

static void on_fault(void *arg, enum mend_weight weight, struct str what, struct str mended)
{
    struct judgement *j = arg;
    if (weight == MEND_REFUSED && !j->refused) {
        scoped_buf(error, WHAT_BYTES_MAX);
        buf_puts(&error, "The query was not run. ");
        buf_add_str(&error, what);
        j->refused = true;
        run_refuse(j->run, "query_refused", buf_cstr(&error), mended);
    } else {
        add(weight == MEND_IF_EMPTY ? &j->p->if_empty : &j->p->notes, what, mended);
    }
}

bool repair_judge(struct repair *p, struct tool_run *r, const struct catalog *c, struct str query,
                  bool over_range)
{
    const struct mend_facts facts = {.type = type_of, .arg = (void *)c, .over_range = over_range};
    struct judgement j = {.p = p, .run = r};
    mend_meaning(query, &facts, on_fault, &j);
    return !j.refused;
}

/* ---- names ---- */

/* A slip of the pen, or a part left out: http_request_total, node_load. */
static bool means(struct str name, struct str other)
{
    size_t edits = name.len < 8 ? 1 : NEAR_DISTANCE;
    bool longer = other.len > name.len && str_starts(other, name) && other.at[name.len] == '_';
    return longer || text_distance(name, other) <= edits;
}

/* NAME_bucket, NAME_sum, NAME_count: which of them is meant the name does not say. */
static bool is_part(struct str name, struct str other)
{
    static const char *const parts[] = {"_bucket", "_sum", "_count", "_created"};
    struct str part = other.len > name.len ? str_skip(other, name.len) : (struct str){NULL, 0};
    for (size_t i = 0; str_starts(other, name) && i < sizeof(parts) / sizeof(parts[0]); i++)
        if (str_is(part, parts[i]))
            return true;
    return false;
}

void repair_name(struct str query, struct str name, struct str near, struct buf *mended)
{
    struct str rest = near, other, meant = {NULL, 0};
    bool quantile = query.len > 0 && memmem(query.at, query.len, "histogram_quantile", 18) != NULL;
    while (meant.len == 0 && str_split(&rest, ',', &other)) {
        other = str_trim(other);
        bool part = is_part(name, other);
        if (part ? quantile && str_ends(other, STR("_bucket")) : means(name, other))
            meant = other;
        else if (part && !quantile)
            break;
    }
    if (meant.len == 0 || !name_is_classic(meant, true))
        return;
    struct tokens *t = xcalloc(1, sizeof(*t));
    const char *at = query.at;
    unsigned last;
    tokens_read(t, query);
    for (unsigned i = 0; i < t->count; i++)
        if (tokens_selector(t, i, &last) && str_eq(t->all[i].text, name)) {
            buf_add(mended, at, (size_t)(t->all[i].text.at - at));
            buf_add_str(mended, meant);
            at = t->all[i].text.at + name.len;
        }
    if (at != query.at)
        buf_add(mended, at, (size_t)(query.at + query.len - at));
    free(t);
}
