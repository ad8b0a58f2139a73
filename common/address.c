#include "common/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static bool parse_network(struct str text, struct network *out);

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291 section 2.5.5.2 */

bool address_of(const struct sockaddr *from, struct address *out)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof(v4));
        memcpy(out->bytes, mapped, sizeof(mapped));
        memcpy(out->bytes + sizeof(mapped), &v4.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        memcpy(&v6, from, sizeof(v6));
        memcpy(out->bytes, &v6.sin6_addr, sizeof(out->bytes));
    }
    return from->sa_family == AF_INET || from->sa_family == AF_INET6;
}

/* host: of text without a port; v4: by its dots, since a name of IPv6 has colons of its own. */
static bool parse_host(struct str host, bool *v4, struct address *out)
{
    char name[INET6_ADDRSTRLEN];
    if (host.len >= sizeof(name))
        return false;
    memcpy(name, host.at, host.len);
    name[host.len] = '\0';
    memcpy(out->bytes, mapped, sizeof(mapped));
    *v4 = inet_pton(AF_INET, name, out->bytes + sizeof(mapped)) == 1;
    return *v4 || inet_pton(AF_INET6, name, out->bytes) == 1;
}

bool address_parse(struct str text, struct address *out)
{
    bool v4;
    struct str name;
    return parse_host(text, &v4, out) || (address_host(text, &name) && parse_host(name, &v4, out));
}

/* It may be empty, as in "name:". */
static bool port_ok(struct str port)
{
    uint64_t value;
    return port.len == 0 || str_u64(port, 65535, &value);
}

/* Characters as they are, or "%" and two hexadecimal digits. */
static bool name_ok(struct str name)
{
    static const char others[] = "-._~!$&'()*+,;=";
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i], lower = (char)(c | 0x20);
        bool coded = c == '%' && name.len - i > 2 && isxdigit((unsigned char)name.at[i + 1]) &&
                     isxdigit((unsigned char)name.at[i + 2]);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && !coded &&
            (c == '\0' || !strchr(others, c)))
            return false;
    }
    return name.len > 0;
}

bool address_host(struct str text, struct str *name)
{
    bool v4;
    struct address at;
    struct str rest = text;
    if (text.len == 0 || text.at[0] != '[')
        return str_split(&rest, ':', name) && name_ok(*name) && port_ok(rest);
    rest = str_skip(text, 1);
    if (!str_split(&rest, ']', name) || !rest.at || !parse_host(*name, &v4, &at) || v4)
        return false;
    return rest.len == 0 || (rest.at[0] == ':' && port_ok(str_skip(rest, 1)));
}

static bool is_same(struct str a, struct str b)
{
    return a.len == b.len && a.len > 0 && strncasecmp(a.at, b.at, a.len) == 0;
}

/* localhost and what is below it never leave the machine (RFC 6761 section 6.3). */
bool address_is_local(struct str name)
{
    struct str below = STR(".localhost");
    struct address a;
    if (is_same(name, STR("localhost")) ||
        (name.len > below.len &&
         is_same((struct str){name.at + name.len - below.len, below.len}, below)))
        return true;
    return address_parse(name, &a) && address_is_loopback(&a);
}

bool address_listed(struct str host, struct str list)
{
    struct str name, one;
    if (!address_host(host, &name))
        return false;
    while (str_split(&list, ',', &one))
        if (is_same(str_trim(one), host) || is_same(str_trim(one), name))
            return true;
    return false;
}

bool address_listen(const char *text, char host[ADDRESS_HOST_MAX], char port[ADDRESS_PORT_MAX])
{
    const char *colon = strrchr(text, ':');
    uint64_t number;
    if (!colon || strlen(colon + 1) >= ADDRESS_PORT_MAX ||
        !str_u64(str_of(colon + 1), 65535, &number))
        return false;
    struct str name = {text, (size_t)(colon - text)};
    if (name.len >= 2 && name.at[0] == '[' && name.at[name.len - 1] == ']')
        name = (struct str){name.at + 1, name.len - 2};
    if (name.len >= ADDRESS_HOST_MAX)
        return false;
    memcpy(host, name.at, name.len);
    host[name.len] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

bool address_is_v4(const struct address *a)
{
    return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

bool address_is_loopback(const struct address *a)
{
    static const unsigned char v6[16] = {[15] = 1};
    return address_is_v4(a) ? a->bytes[12] == 127 : memcmp(a->bytes, v6, sizeof(v6)) == 0;
}

void address_text(const struct address *a, char out[INET6_ADDRSTRLEN])
{
    if (address_is_v4(a))
        inet_ntop(AF_INET, a->bytes + sizeof(mapped), out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, a->bytes, out, INET6_ADDRSTRLEN);
}

bool networks_parse(struct str list, struct networks *out)
{
    struct str one;
    out->count = 0;
    while (str_split(&list, ',', &one)) {
        one = str_trim(one);
        if (one.len == 0)
            continue;
        if (out->count == NETWORKS_MAX || !parse_network(one, &out->items[out->count]))
            return false;
        out->count++;
    }
    return true;
}

static bool parse_network(struct str text, struct network *out)
{
    bool v4;
    struct str host;
    uint64_t bits = 128;
    if (!str_split(&text, '/', &host) || !parse_host(host, &v4, &out->at))
        return false;
    if (text.at && !str_u64(text, v4 ? 32 : 128, &bits))
        return false;
    out->bits = (unsigned)(text.at && v4 ? bits + 96 : bits);
    return true;
}

static bool fits(const struct network *n, const struct address *a)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;
    if (memcmp(n->at.bytes, a->bytes, whole) != 0)
        return false;
    unsigned mask = 0xff00U >> rest & 0xff;
    return rest == 0 || ((unsigned)(n->at.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
}

bool networks_have(const struct networks *n, const struct address *a)
{
    for (unsigned i = 0; i < n->count; i++)
        if (fits(&n->items[i], a))
            return true;
    return false;
}
