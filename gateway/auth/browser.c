#include "gateway/auth/browser.h"

#include <stdlib.h>
#include <strings.h>
#include "common/address.h"

static bool is_same(struct str a, struct str b);
static bool by_silent_proxy(const struct http_request *r);
static bool was_permitted(const struct http_request *r);

/* ---- origins ---- */

static bool origin_allowed(const struct gateway *g, struct str origin)
{
    struct str list = str_of(g->settings.cors_origins), one;
    while (str_split(&list, ',', &one))
        if (origin.len > 0 && str_eq(str_trim(one), origin))
            return true;
    return false;
}

/* host:port of an origin, the scheme's usual port left out as browsers do; empty: "null" and what
 * is none. */
static struct str host_of(struct str origin, struct str *port)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    static const struct str ports[] = {{":80", 3}, {":443", 4}};
    for (unsigned i = 0; i < 2; i++) {
        if (!str_starts(origin, schemes[i]))
            continue;
        *port = ports[i];
        return str_skip(origin, schemes[i].len);
    }
    return (struct str){NULL, 0};
}

static struct str without(struct str host, struct str port)
{
    if (host.len > port.len && is_same((struct str){host.at + host.len - port.len, port.len}, port))
        host.len -= port.len;
    return host;
}

static bool is_same(struct str a, struct str b)
{
    return a.len == b.len && a.len > 0 && strncasecmp(a.at, b.at, a.len) == 0;
}

static bool is_own(struct str origin, const struct http_request *r)
{
    struct str port = {NULL, 0}, host = host_of(origin, &port), one;
    struct str asked = http_host(r), forwarded = http_header(r, "X-Forwarded-Host");
    host = without(host, port);
    if (host.len == 0)
        return false;
    if (is_same(host, without(asked, port)))
        return true;
    while (str_split(&forwarded, ',', &one)) /* one for each proxy on the way */
        if (is_same(host, without(str_trim(one), port)))
            return true;
    return false;
}

bool browser_cross_site(const struct gateway *g, const struct http_request *r)
{
    struct str site = http_header(r, "Sec-Fetch-Site"), origin = http_header(r, "Origin");
    if (origin_allowed(g, origin))
        return false;
    if (site.len > 0)
        return !str_is(site, "same-origin") && !str_is(site, "none");
    return origin.len > 0 && !is_own(origin, r) && !(by_silent_proxy(r) && was_permitted(r));
}

/* Perses's proxy puts its upstream's name into Host and tells the one that it was asked by to
 * nobody. A page can't send this header by itself. */
static bool by_silent_proxy(const struct http_request *r)
{
    return http_header(r, "X-Forwarded-For").len > 0 && http_header(r, "X-Forwarded-Host").len == 0;
}

/* Would a browser have asked first whether another site's page may send this (Fetch standard,
 * section 4.10: a method, a type or a header that no form can have)? That is never granted to
 * those. */
static bool was_permitted(const struct http_request *r)
{
    static const char *const headers[] = {"Idempotency-Key", "Prefer", "X-Requested-With",
                                          "X-Stainless-Lang"};
    struct str type = http_header(r, "Content-Type"), json = STR("application/json");
    bool permitted = !str_is(http_method(r), "POST") ||
                     (type.len >= json.len && is_same((struct str){type.at, json.len}, json));
    for (unsigned i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        permitted = permitted || http_header(r, headers[i]).len > 0;
    return permitted;
}

bool browser_cors(const struct gateway *g, struct http_request *r)
{
    struct str origin = http_header(r, "Origin");
    bool allowed = origin_allowed(g, origin);
    if (*g->settings.cors_origins) /* caches must not give one origin another's answer */
        http_add_header(r, "Vary", "Origin");
    if (!allowed)
        return false;
    char *text = str_dup(origin);
    http_add_header(r, "Access-Control-Allow-Origin", text);
    http_add_header(r, "Access-Control-Allow-Credentials", "true");
    http_add_header(r, "Access-Control-Expose-Headers", "PersAI-API, Link, Retry-After");
    free(text);
    if (!str_is(http_method(r), "OPTIONS") ||
        http_header(r, "Access-Control-Request-Method").len == 0)
        return false;
    http_add_header(r, "Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE");
    http_add_header(r, "Access-Control-Allow-Headers",
                    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer");
    http_add_header(r, "Access-Control-Max-Age", "600");
    return true;
}

/* ---- hosts ---- */

bool browser_host_ok(const struct gateway *g, const struct http_request *r)
{
    struct str host = http_host(r), name;
    if (host.len == 0) /* HTTP/1.0: no browser */
        return true;
    return address_host(host, &name) &&
           (address_is_local(name) || address_listed(host, str_of(g->settings.hosts)));
}
