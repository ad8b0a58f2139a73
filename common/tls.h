/* common/tls.h: TLS on a socket that is connected and does not block: the client's side. OpenSSL,
 * where the build found it.
 *
 * The server's certificate must be of a known authority and name the host. Memory: tls_free; the
 * socket stays the caller's. */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <stdbool.h>
#include <sys/types.h>

struct tls;

bool tls_available(void); /* this build can speak it */
/* ca: a file of authorities (PEM), or "": the system's, or SSL_CERT_FILE's. NULL: error says why.
 */
struct tls *tls_new(int fd, const char *host, const char *ca, char error[256]);
void tls_free(struct tls *t); /* NULL is fine */
/* Can ca be used? */
bool tls_check(const char *ca, char error[256]);

enum tls_state { TLS_GREETING, TLS_OPEN, TLS_FAILED };
/* Goes on with the handshake: called whenever the socket can be read or written. FAILED: error. */
enum tls_state tls_greet(struct tls *t, char error[256]);
bool tls_wants_write(const struct tls *t); /* the last call needs the socket to be writable */
/* As recv and send of a socket that does not block: -1 with errno, EAGAIN too. Reading must go on
 * until EAGAIN: what was received and not given out yet does not show on the socket. */
ssize_t tls_read(struct tls *t, void *bytes, size_t len);
ssize_t tls_write(struct tls *t, const void *bytes, size_t len);

#endif
