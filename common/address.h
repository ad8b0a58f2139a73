/* common/address.h: where a connection comes from, as 16 bytes (IPv4 as ::ffff:a.b.c.d), and lists
 * of networks. Plain data. */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include "common/buf.h"

struct address {
    unsigned char bytes[16];
};
struct sockaddr;
/* False: neither IPv4 nor IPv6. */
bool address_of(const struct sockaddr *from, struct address *out);
/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80". False: none of these. */
bool address_parse(struct str text, struct address *out);
/* A host with a port or without one (RFC 3986 section 3.2.2 and 3.2.3): "name", "192.0.2.1:80",
 * "[2001:db8::1]:80". name: the host without brackets, of text. False: none of these, a port above
 * 65535, or an address of a version yet to come. */
bool address_host(struct str text, struct str *name);
enum { ADDRESS_HOST_MAX = 256, ADDRESS_PORT_MAX = 6 };
/* Where to listen: "name:80", "192.0.2.1:80", "[2001:db8::1]:80", ":80" and "*:80" (all addresses).
 * host comes without brackets. False: there is no port, or one above 65535. */
bool address_listen(const char *text, char host[ADDRESS_HOST_MAX], char port[ADDRESS_PORT_MAX]);
/* A name that never leaves the machine, or a loopback address; without brackets, as address_host
 * gives it. */
bool address_is_local(struct str name);
/* Is it in this list, with its port or without? host: as a Host header has it; names fit whatever
 * their case. */
bool address_listed(struct str host, struct str list);
bool address_is_v4(const struct address *a);
bool address_is_loopback(const struct address *a);
void address_text(const struct address *a, char out[INET6_ADDRSTRLEN]);

enum { NETWORKS_MAX = 64 };
struct networks {
    unsigned count;
    struct network {
        struct address at;
        unsigned bits; /* of 128 */
    } items[NETWORKS_MAX];
};
/* "10.0.0.0/8, fd00::/8, 192.0.2.1"; "" is none. False: one of them is no network, or they are too
 * many. */
bool networks_parse(struct str list, struct networks *out);
bool networks_have(const struct networks *n, const struct address *a);

#endif
