#include "common/redis/url.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/check.h"
#include "common/hex.h"
#include "common/tls.h"

enum { DB_MAX = 1023, PORT_DEFAULT = 6379, SENTINEL_PORT_DEFAULT = 26379 };

static bool fail(char error[256], const char *why)
{
    snprintf(error, 256, "the Redis address %s", why);
    return false;
}

/* Percent-decodes in into out[size], NUL-terminated. */
static bool unescape(struct str in, char *out, size_t size, size_t *out_len)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        if (c == '%') {
            int high = i + 2 < in.len ? hex_digit(in.at[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(in.at[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    *out_len = n;
    return true;
}

static bool parse_credentials(struct str text, struct redis_url *u, char error[256])
{
    char password[1024];
    size_t len;
    struct str rest = text, user;
    if (!str_split(&rest, ':', &user))
        return true;
    if (!unescape(user, u->user, sizeof(u->user), &len) ||
        !unescape(rest, password, sizeof(password), &len))
        return fail(error, "has a user or password that is too long or badly escaped");
    secret_free(u->password);
    u->password = len > 0 ? secret_new((struct str){password, len}) : NULL;
    secret_wipe(password, sizeof(password));
    return true;
}

static bool parse_db(struct str text, struct redis_url *u, char error[256])
{
    uint64_t db;
    if (text.len == 0)
        return true;
    if (!str_u64(text, DB_MAX, &db))
        return fail(error, "has a database that is no number");
    u->db = (unsigned)db;
    return true;
}

static bool add_node(struct redis_url *u, struct str host, uint16_t port, char error[256])
{
    if (u->node_count == REDIS_NODES_MAX)
        return fail(error, "lists too many nodes");
    if (host.len == 0 || host.len >= REDIS_HOST_MAX)
        return fail(error, "lacks a host, or has one that is too long");
    struct redis_node *n = &u->nodes[u->node_count++];
    memcpy(n->host, host.at, host.len);
    n->host[host.len] = '\0';
    n->port = port;
    return true;
}

/* host, host:port, [v6]:port */
static bool parse_host(struct str text, struct redis_url *u, char error[256])
{
    struct str host = text, port = {NULL, 0};
    uint64_t number = u->sentinel ? SENTINEL_PORT_DEFAULT : PORT_DEFAULT;
    size_t cut = text.len;
    while (cut > 0 && text.at[cut - 1] != ':' && text.at[cut - 1] != ']')
        cut--;
    if (cut > 0 && text.at[cut - 1] == ':') {
        host.len = cut - 1;
        port = str_skip(text, cut);
    }
    if (host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        host = (struct str){host.at + 1, host.len - 2};
    if (port.at != NULL && (!str_u64(port, 65535, &number) || number == 0))
        return fail(error, "has a port that is no number from 1 to 65535");
    return add_node(u, host, (uint16_t)number, error);
}

static bool parse_unix(struct str text, struct redis_url *u, char error[256])
{
    struct str path, query = text;
    if (!str_split(&query, '?', &path))
        return fail(error, "lacks a path");
    if (str_starts(query, STR("db=")))
        query = str_skip(query, 3);
    if (path.len >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return fail(error, "has a path that is too long for a socket");
    return parse_db(query, u, error) && add_node(u, path, 0, error);
}

/* Cuts ?ca=FILE off. */
static bool parse_query(struct str *text, struct redis_url *u, char error[256])
{
    size_t len;
    const char *mark = text->len ? memchr(text->at, '?', text->len) : NULL;
    if (!mark)
        return true;
    struct str query = str_skip(*text, (size_t)(mark - text->at) + 1);
    text->len = (size_t)(mark - text->at);
    if (!u->tls || !str_starts(query, STR("ca=")))
        return fail(error, "has an option that is not ?ca=FILE of a rediss:// address");
    if (!unescape(str_skip(query, 3), u->ca, sizeof(u->ca), &len) || len == 0)
        return fail(error, "has a file of authorities that is badly escaped or too long");
    return true;
}

/* One item of the list; behind the first one the scheme and the credentials may be left out. */
static bool parse_item(struct str text, struct redis_url *u, char error[256])
{
    if (str_starts(text, STR("unix://")))
        return parse_unix(str_skip(text, 7), u, error);
    bool tls = str_starts(text, STR("rediss://"));
    if (tls && !tls_available())
        return fail(error, "asks for TLS (rediss://), and this PersAI was built without it");
    if (tls || str_starts(text, STR("redis://"))) {
        if (u->node_count > 0 && u->tls != tls)
            return fail(error, "lists nodes with and without TLS");
        u->tls = tls;
        text = str_skip(text, tls ? 9 : 8);
    } else if (u->node_count == 0) {
        return fail(error, "must start with redis://, rediss://, unix:// or sentinel://");
    }
    struct str authority, rest = text;
    if (!parse_query(&text, u, error))
        return false;
    rest = text;
    if (!str_split(&rest, '/', &authority))
        return fail(error, "lacks a host");
    if (!parse_db(rest, u, error))
        return false;
    size_t at = authority.len;
    while (at > 0 && authority.at[at - 1] != '@')
        at--;
    if (at > 0 && !parse_credentials((struct str){authority.at, at - 1}, u, error))
        return false;
    return parse_host(str_skip(authority, at), u, error);
}

static bool parse_sentinel(struct str text, struct redis_url *u, char error[256])
{
    struct str nodes, rest = text, name, item;
    size_t len;
    u->sentinel = true;
    size_t at = text.len;
    while (at > 0 && text.at[at - 1] != '@')
        at--;
    if (at > 0 && !parse_credentials((struct str){text.at, at - 1}, u, error))
        return false;
    rest = str_skip(text, at);
    if (!str_split(&rest, '/', &nodes) || !str_split(&rest, '/', &name) || name.len == 0)
        return fail(error, "lacks the name of the master: sentinel://host:port,…/NAME");
    if (!unescape(name, u->master, sizeof(u->master), &len))
        return fail(error, "has a bad name of the master");
    while (str_split(&nodes, ',', &item))
        if (!parse_host(item, u, error))
            return false;
    return parse_db(rest, u, error);
}

bool redis_url_parse(const char *text, struct redis_url *out, char error[256])
{
    struct str rest = str_of(text), item;
    memset(out, 0, sizeof(*out));
    bool ok = true;
    if (str_starts(rest, STR("sentinel://"))) {
        ok = parse_sentinel(str_skip(rest, 11), out, error);
    } else {
        while (ok && str_split(&rest, ',', &item))
            ok = parse_item(item, out, error);
        if (ok && out->node_count == 0)
            ok = fail(error, "is empty");
    }
    if (!ok)
        redis_url_free(out);
    return ok;
}

void redis_url_free(struct redis_url *u)
{
    secret_free(u->password);
    u->password = NULL;
}
