#include "gateway/auth/rights.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/path.h"

enum {
    ANSWER_BYTES_KEEP = 256 << 10, /* more is a large dashboard: its head says enough */
    ASK_MS = 5000,
    AT_ONCE = 8, /* of one request, which may need all: Perses has others to answer meanwhile */
    URL_MAX = 2048,
};

struct one {
    struct rights *rights;
    char *path;
    enum right right;
    struct fetch *fetch;
};
struct rights {
    struct gateway *gateway;
    struct credentials credentials;
    loop_fn *on_known;
    void *arg;
    unsigned count, asked, going; /* asked: not answered yet; going: of these */
    struct one at[RIGHTS_MAX];
};

static struct one *find(const struct rights *r, struct str path);
static void ask_more(struct rights *r);
static bool write_url(const struct rights *r, const struct path *p, struct buf *url);
static void on_answer(void *arg, const struct fetch_result *f);

struct rights *rights_new(struct gateway *g, const struct credentials *c, loop_fn *on_known,
                          void *arg)
{
    struct rights *r = xcalloc(1, sizeof(*r));
    *r = (struct rights){
        .gateway = g, .credentials = credentials_share(c), .on_known = on_known, .arg = arg};
    return r;
}

void rights_free(struct rights *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->count; i++) {
        fetch_cancel(r->at[i].fetch);
        free(r->at[i].path);
    }
    credentials_free(&r->credentials);
    free(r);
}

static struct one *find(const struct rights *r, struct str path)
{
    for (unsigned i = 0; i < r->count; i++)
        if (str_is(path, r->at[i].path))
            return (struct one *)&r->at[i];
    return NULL;
}

/* Where nobody signs in, everybody is one user. */
enum right rights_of(const struct rights *r, struct str path)
{
    const struct one *known = find(r, path);
    return !r->gateway->settings.auth ? RIGHT_YES : known ? known->right : RIGHT_NO;
}

enum right rights_ask(struct rights *r, struct str path)
{
    struct path parsed;
    if (!r->gateway->settings.auth || find(r, path))
        return rights_of(r, path);
    if (r->count == RIGHTS_MAX || path_parse(path, &parsed) != ERR_NONE)
        return RIGHT_NO;
    r->at[r->count++] = (struct one){.rights = r, .path = str_dup(path), .right = RIGHT_ASKED};
    r->asked++;
    return RIGHT_ASKED;
}

static void ask_one(struct rights *r, struct one *one)
{
    static const struct fetch_handler handler = {.on_done = on_answer};
    struct path parsed;
    scoped_buf(url, URL_MAX);
    CHECK(path_parse(str_of(one->path), &parsed) == ERR_NONE && write_url(r, &parsed, &url));
    struct fetch_request ask = {.method = "GET",
                                .url = buf_cstr(&url),
                                .bearer = r->credentials.access,
                                .connect_ms = 3000,
                                .total_ms = ASK_MS,
                                .body_bytes_keep = ANSWER_BYTES_KEEP,
                                .collect = true};
    one->fetch = fetch_start(r->gateway->fetch, &ask, &handler, one);
    r->going++;
}

void rights_send(struct rights *r) { ask_more(r); }

static void ask_more(struct rights *r)
{
    for (unsigned i = 0; i < r->count && r->going < AT_ONCE; i++)
        if (r->at[i].right == RIGHT_ASKED && !r->at[i].fetch)
            ask_one(r, &r->at[i]);
}

/* The object that the proxy's right is about (internal/api/impl/proxy of Perses 0.54): the
 * datasource, and of a dashboard's own datasource the dashboard. */
static bool write_url(const struct rights *r, const struct path *p, struct buf *url)
{
    buf_puts(url, r->gateway->settings.perses);
    if (p->project.len == 0)
        buf_puts(url, "/api/v1/globaldatasources/");
    else
        buf_printf(url, "/api/v1/projects/%.*s/%s/", (int)p->project.len, p->project.at,
                   p->dashboard.len ? "dashboards" : "datasources");
    return buf_add_str(url, p->dashboard.len ? p->dashboard : p->name);
}

/* Who is silent once is not waited for again and again. */
static void leave_rest(struct rights *r)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->at[i].right == RIGHT_ASKED && !r->at[i].fetch) {
            r->at[i].right = RIGHT_SILENT;
            r->asked--;
        }
}

static void on_answer(void *arg, const struct fetch_result *f)
{
    struct one *one = arg;
    struct rights *r = one->rights;
    bool whole = f->status == FETCH_OK || f->status == FETCH_CUT;
    bool answered = whole && f->http_status < 500;
    one->fetch = NULL;
    one->right = !answered ? RIGHT_SILENT : f->http_status == 200 ? RIGHT_YES : RIGHT_NO;
    if (!answered)
        log_warn("rights.perses", "status=%d error=%s", f->http_status, log_text(str_of(f->error)));
    r->going--;
    if (!answered)
        leave_rest(r);
    ask_more(r);
    if (--r->asked == 0)
        r->on_known(r->arg);
}
