/* common/http_head.c: is the head of a request what RFC 9112 allows, and what does it say?
 *
 * microhttpd 0.9.75 is lenient where a proxy before us may read otherwise, which is how requests
 * are smuggled: it joins folded lines, ends lines at a bare LF, ends names and values at a NUL,
 * takes any bytes for a name. It keeps the head in one piece of memory and hands out pointers into
 * it, so all that is between two of them can be seen: exactly what must be there, or the request is
 * refused. */
#include "common/hex.h"
#include "common/http_priv.h"
#include "common/secret.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/check.h"

/* What was made of the head's bytes: a part of the query, or the lines of a header in several. */
struct decoded {
    struct decoded *next;
    const char *name; /* of the header; NULL: of the query */
    size_t len;
    char bytes[];
};

/* ---- is it well-formed? ---- */

struct scan {
    const char *end; /* of what was seen so far: a line's end must be there */
    unsigned lengths, codings, hosts;
    bool broken;
    struct str coding, host;
};

static enum MHD_Result scan_field(void *arg, enum MHD_ValueKind kind, const char *key,
                                  size_t key_len, const char *value, size_t value_len);
static bool is_token(const char *text, size_t len);
static bool uri_ok(const struct http_request *r);
static bool host_ok(struct str host);
static bool take_authority(struct http_request *r);

bool http_head_ok(struct http_request *r, const char *url, const char *version)
{
    size_t method_len = strlen(r->method), version_len = strlen(version);
    if (!r->uri || version_len != 8 || url != r->method + method_len + 1 ||
        version != url + r->uri_len + 1 || !uri_ok(r) || !is_token(r->method, method_len))
        return false;       /* blanks or a NUL in the request line, or no version */
    if (!take_authority(r)) /* first: a refusal is of its path's clients' shape */
        return false;
    struct scan s = {.end = version + version_len};
    MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, scan_field, &s);
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (s.broken || !size || r->method + size->header_size != s.end + 4)
        return false;
    bool old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    /* RFC 9112 section 6.1: two ways to tell the length, or a coding that HTTP/1.0 can't have. */
    if (s.lengths + s.codings > 1 ||
        (s.codings && (old || s.coding.len != 7 || strncasecmp(s.coding.at, "chunked", 7) != 0)))
        return false;
    /* Section 3.2: exactly one, or none in HTTP/1.0. */
    if (s.hosts > 1 || (s.hosts == 0 && !old) || !host_ok(s.host))
        return false;
    if (!r->host.at)
        r->host = s.host;
    r->has_coding = s.codings > 0;
    r->body_start = s.end + 4;
    return true;
}

static bool is_token(const char *text, size_t len)
{
    static const char others[] = "!#$%&'*+-.^_`|~"; /* RFC 9110 section 5.6.2 */
    for (size_t i = 0; i < len; i++) {
        char c = text[i], lower = (char)(c | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && !strchr(others, c))
            return false;
    }
    return len > 0;
}

static bool is_field_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return true;
}

/* Between name and value: the colon and blanks. */
static bool is_gap(const char *from, const char *to)
{
    if (to <= from || to - from > HTTP_POOL_BYTES)
        return false;
    for (const char *at = from + 1; at < to; at++)
        if (*at != ' ' && *at != '\t')
            return false;
    return true;
}

static enum MHD_Result scan_field(void *arg, enum MHD_ValueKind kind, const char *key,
                                  size_t key_len, const char *value, size_t value_len)
{
    struct scan *s = arg;
    (void)kind;
    s->broken = s->broken || key != s->end + 2 || !is_token(key, key_len) ||
                !is_gap(key + key_len, value) || !is_field_text(value, value_len);
    if (s->broken)
        return MHD_NO;
    s->end = value + value_len;
    struct str text = str_trim((struct str){value, value_len});
    if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        s->lengths++;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        s->codings++;
        s->coding = text;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
        s->hosts++;
        s->host = text;
    }
    return MHD_YES;
}

/* A fragment is never sent (RFC 9112 section 3.2.1). */
static bool uri_ok(const struct http_request *r)
{
    for (size_t i = 0; i < r->uri_len; i++)
        if ((unsigned char)r->uri[i] <= ' ' || r->uri[i] == 0x7f || r->uri[i] == '#')
            return false;
    return r->uri_len > 0;
}

/* A name or an address with a port perhaps (RFC 3986 section 3.2.2), or nothing. */
static bool host_ok(struct str host)
{
    static const char others[] = "-._~:[]%!$&'()*+;=";
    for (size_t i = 0; i < host.len; i++) {
        char c = host.at[i], lower = (char)(c | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && !strchr(others, c))
            return false;
    }
    return true;
}

/* The absolute form, "GET http://host/path": its host is the one that counts (RFC 9112 section
 * 3.2.2). uri is cut into path and query here. */
static bool take_authority(struct http_request *r)
{
    size_t scheme = strncasecmp(r->uri, "http://", 7) == 0    ? 7
                    : strncasecmp(r->uri, "https://", 8) == 0 ? 8
                                                              : 0;
    r->path = r->uri;
    if (scheme > 0) {
        size_t len = strcspn(r->uri + scheme, "/?");
        r->host = (struct str){r->uri + scheme, len};
        r->path = r->uri + scheme + len;
        if (len == 0 || !host_ok(r->host))
            return false;
    }
    /* Section 3.2: an origin form, or "*" of OPTIONS; an authority is for proxies. */
    if (scheme == 0 && r->path[0] != '/' &&
        (strcmp(r->path, "*") != 0 || strcmp(r->method, MHD_HTTP_METHOD_OPTIONS) != 0))
        return false;
    r->path_len = strcspn(r->path, "?");
    r->query = r->path[r->path_len] == '?' ? r->path + r->path_len + 1 : NULL;
    if (r->path_len == 0) { /* "http://host", "http://host?q" */
        r->path = "/";
        r->path_len = 1;
    }
    return true;
}

void http_refuse_length(struct http *h)
{
    struct str text =
        h->cb.on_refuse ? h->cb.on_refuse(h->arg, NULL, MHD_HTTP_BAD_REQUEST) : STR("{}");
    scoped_buf(b, 4096);
    buf_printf(
        &b,
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n",
        text.len);
    buf_add_str(&b, text);
    list_each (&h->conns, node, next) {
        struct http_conn *c = list_of(node, struct http_conn, node);
        struct http_request *r = c->request;
        /* Its head is in, and it was not handed to us: there is one such at a time. */
        if (!r || r->state != REQUEST_ARRIVING ||
            !MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE))
            continue;
        (void)!send(c->fd, b.at, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        shutdown(c->fd, SHUT_WR);
    }
}

void http_head_forget(struct http_request *r)
{
    free(r->uri);
    r->uri = NULL;
    r->path = r->query = NULL;
    r->path_len = 0;
    r->host = (struct str){NULL, 0};
    while (r->decoded) {
        struct decoded *next = r->decoded->next;
        secret_wipe(r->decoded->bytes, r->decoded->len);
        free(r->decoded);
        r->decoded = next;
    }
}

/* ---- what it says ---- */

struct str http_method(const struct http_request *r) { return str_of(r->method); }

struct str http_path(const struct http_request *r) { return (struct str){r->path, r->path_len}; }

struct str http_host(const struct http_request *r) { return r->host; }

struct lines {
    const char *name;
    unsigned count; /* those that say something */
    size_t bytes;
    struct str last;
    char *out; /* NULL: they are only counted */
};

/* Blanks around a value are not of it (RFC 9110 section 5.5); microhttpd leaves those behind it. */
static enum MHD_Result take_line(void *arg, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    struct lines *l = arg;
    (void)kind;
    if ((key[0] | 32) != (l->name[0] | 32) || strcasecmp(key, l->name) != 0) /* most */
        return MHD_YES;
    struct str text = str_trim(str_of(value));
    if (text.len == 0 && l->last.len > 0)
        return MHD_YES;
    l->last = text;
    if (text.len == 0)
        return MHD_YES;
    if (l->out && l->count > 0) {
        memcpy(l->out + l->bytes, ", ", 2);
        l->bytes += 2;
    }
    if (l->out)
        memcpy(l->out + l->bytes, text.at, text.len);
    l->bytes += text.len;
    l->count++;
    return MHD_YES;
}

static struct str join_lines(struct http_request *r, const char *name, const struct lines *counted)
{
    size_t room = counted->bytes + 2 * (size_t)counted->count;
    struct decoded *d = xmalloc(sizeof(*d) + room);
    struct lines l = {.name = name, .out = d->bytes};
    MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, take_line, &l);
    CHECK(l.bytes <= room);
    *d = (struct decoded){.next = r->decoded, .name = name, .len = l.bytes};
    r->decoded = d;
    return (struct str){d->bytes, d->len};
}

/* Several lines of a name are one list (RFC 9110 section 5.3). What is no list, but was sent twice,
 * becomes a value that nobody takes for one of the two: no proxy and no check before us can have
 * gone by the other. */
struct str http_header(const struct http_request *r, const char *name)
{
    struct http_request *owner = (struct http_request *)r; /* keeps what was joined */
    struct lines l = {.name = name};
    MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, take_line, &l);
    if (l.count < 2)
        return l.last;
    for (struct decoded *d = r->decoded; d; d = d->next)
        if (d->name && strcasecmp(d->name, name) == 0)
            return (struct str){d->bytes, d->len};
    return join_lines(owner, name, &l);
}

/* What a cookie's value may hold (RFC 6265 section 4.1.1, and blanks and commas, which are sent).
 */
static bool is_cookie_text(struct str value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.at[i] < ' ' || (unsigned char)value.at[i] >= 0x7f ||
            value.at[i] == '"' || value.at[i] == '\\')
            return false;
    return true;
}

struct cookie_search {
    const char *name;
    struct str found;
};

/* Quotes mean nothing but for a pair around a whole value, which is taken off: as net/http reads
 * cookies, and so Perses. */
static enum MHD_Result search_cookies(void *arg, enum MHD_ValueKind kind, const char *key,
                                      const char *value)
{
    struct cookie_search *s = arg;
    struct str rest = str_of(value), pair, name;
    (void)kind;
    if (strcasecmp(key, MHD_HTTP_HEADER_COOKIE) != 0)
        return MHD_YES;
    while (str_split(&rest, ';', &pair)) {
        pair = str_trim(pair);
        if (!str_split(&pair, '=', &name) || !str_is(str_trim(name), s->name))
            continue;
        struct str text = str_trim(pair);
        if (text.len > 1 && text.at[0] == '"' && text.at[text.len - 1] == '"')
            text = (struct str){text.at + 1, text.len - 2};
        if (!is_cookie_text(text))
            continue;
        s->found = text.at ? text : STR("");
        return MHD_NO; /* the first one counts */
    }
    return MHD_YES;
}

struct str http_cookie(const struct http_request *r, const char *name)
{
    struct cookie_search s = {.name = name};
    MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, search_cookies, &s);
    return s.found;
}

/* The values lie in the connection's own pool, which is libmicrohttpd's: it reads neither again. */
static enum MHD_Result wipe_value(void *arg, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    (void)arg;
    bool secret = kind == MHD_COOKIE_KIND || strcasecmp(key, MHD_HTTP_HEADER_COOKIE) == 0 ||
                  strcasecmp(key, MHD_HTTP_HEADER_AUTHORIZATION) == 0;
    if (secret && value)
        secret_wipe((void *)(uintptr_t)value, strlen(value));
    return MHD_YES;
}

void http_forget_credentials(struct http_request *r)
{
    MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, wipe_value, NULL);
    MHD_get_connection_values(r->mhd, MHD_COOKIE_KIND, wipe_value, NULL);
    for (struct decoded *d = r->decoded; d; d = d->next)
        if (d->name && strcasecmp(d->name, MHD_HTTP_HEADER_AUTHORIZATION) == 0) {
            secret_wipe(d->bytes, d->len);
            d->len = 0;
        }
}

/* Form decoding (+ is a blank). False: a broken escape, or a NUL. out has room for in.len. */
static bool decode(struct str in, bool plus, char *out, size_t *out_len)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        if (c == '+' && !plus) {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < in.len ? hex_digit(in.at[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(in.at[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[n++] = c;
    }
    *out_len = n;
    return true;
}

/* plus: a + is one, as in a path. */
static bool decode_for(struct http_request *r, struct str in, bool plus, struct str *out)
{
    if (memchr(in.at, '%', in.len) == NULL && (plus || memchr(in.at, '+', in.len) == NULL)) {
        *out = in;
        return true;
    }
    struct decoded *d = xmalloc(sizeof(*d) + in.len);
    *d = (struct decoded){.next = r->decoded};
    r->decoded = d;
    if (!decode(in, plus, d->bytes, &d->len))
        return false;
    *out = (struct str){d->bytes, d->len};
    return true;
}

bool http_query_ok(const struct http_request *r)
{
    enum { PAIRS_MAX = 32 }; /* each is compared with those before it */
    struct http_request *owner = (struct http_request *)r;
    struct str rest = str_of(r->query), pair, names[PAIRS_MAX], value;
    unsigned count = 0;
    while (str_split(&rest, '&', &pair)) {
        if (pair.len == 0)
            continue;
        if (count == PAIRS_MAX || !str_split(&pair, '=', &names[count]) ||
            !decode_for(owner, names[count], false, &names[count]) ||
            (pair.at && !decode_for(owner, pair, false, &value)))
            return false;
        for (unsigned i = 0; i < count; i++)
            if (str_eq(names[i], names[count]))
                return false;
        count++;
    }
    return true;
}

bool http_query(const struct http_request *r, const char *key, struct str *value)
{
    struct http_request *owner = (struct http_request *)r; /* keeps what was decoded */
    struct str rest = str_of(r->query), pair, name;
    while (str_split(&rest, '&', &pair)) {
        struct str left = pair;
        if (pair.len == 0 || !str_split(&left, '=', &name) ||
            !decode_for(owner, name, false, &name) || !str_is(name, key))
            continue;
        if (!left.at)
            left = STR("");
        return decode_for(owner, left, false, value);
    }
    return false;
}

bool http_path_rest(const struct http_request *r, size_t skip, struct str *rest)
{
    return decode_for((struct http_request *)r, str_skip(http_path(r), skip), true, rest);
}
