#include "common/tls.h"

#include <errno.h>
#include <stdio.h>
#include "common/check.h"

#ifdef PERSAI_TLS

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct tls {
    SSL_CTX *context;
    SSL *ssl;
    bool wants_write;
};

static bool trust(struct tls *t, const char *ca);
static bool expect(struct tls *t, const char *host);
static void explain(const char *what, char error[256]);
static ssize_t result(struct tls *t, int done);

bool tls_available(void) { return true; }

struct tls *tls_new(int fd, const char *host, const char *ca, char error[256])
{
    struct tls *t = xcalloc(1, sizeof(*t));
    ERR_clear_error();
    t->context = SSL_CTX_new(TLS_client_method());
    CHECK(t->context != NULL);
    SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION);
    SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER, NULL);
    if (!trust(t, ca)) {
        explain("its authorities can't be read", error);
        tls_free(t);
        return NULL;
    }
    t->ssl = SSL_new(t->context);
    CHECK(t->ssl != NULL);
    SSL_set_mode(t->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!expect(t, host) || SSL_set_fd(t->ssl, fd) != 1) {
        explain("no certificate can name this host", error);
        tls_free(t);
        return NULL;
    }
    return t;
}

bool tls_check(const char *ca, char error[256])
{
    struct tls t = {.context = SSL_CTX_new(TLS_client_method())};
    CHECK(t.context != NULL);
    ERR_clear_error();
    bool fine = trust(&t, ca);
    if (!fine)
        explain("its authorities can't be read", error);
    SSL_CTX_free(t.context);
    return fine;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    SSL_CTX_free(t->context);
    free(t);
}

static bool trust(struct tls *t, const char *ca)
{
    return ca[0] ? SSL_CTX_load_verify_locations(t->context, ca, NULL) == 1
                 : SSL_CTX_set_default_verify_paths(t->context) == 1;
}

/* The name that the certificate must have; an address where that is how it is reached. */
static bool expect(struct tls *t, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    bool numeric =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (numeric)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), host) == 1;
    return SSL_set1_host(t->ssl, host) == 1 && SSL_set_tlsext_host_name(t->ssl, host) == 1;
}

static void explain(const char *what, char error[256])
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(error, 256, "TLS: %s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

enum tls_state tls_greet(struct tls *t, char error[256])
{
    ERR_clear_error();
    int done = SSL_connect(t->ssl), why = SSL_get_error(t->ssl, done);
    t->wants_write = why == SSL_ERROR_WANT_WRITE;
    if (done == 1)
        return TLS_OPEN;
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return TLS_GREETING;
    long verdict = SSL_get_verify_result(t->ssl);
    if (verdict != X509_V_OK)
        snprintf(error, 256, "TLS: its certificate: %s", X509_verify_cert_error_string(verdict));
    else
        explain("the handshake failed", error);
    return TLS_FAILED;
}

bool tls_wants_write(const struct tls *t) { return t->wants_write; }

ssize_t tls_read(struct tls *t, void *bytes, size_t len)
{
    ERR_clear_error();
    return result(t, SSL_read(t->ssl, bytes, len > INT32_MAX ? INT32_MAX : (int)len));
}

ssize_t tls_write(struct tls *t, const void *bytes, size_t len)
{
    ERR_clear_error();
    return result(t, SSL_write(t->ssl, bytes, len > INT32_MAX ? INT32_MAX : (int)len));
}

static ssize_t result(struct tls *t, int done)
{
    int why = SSL_get_error(t->ssl, done);
    t->wants_write = why == SSL_ERROR_WANT_WRITE;
    if (done > 0)
        return done;
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        errno = EAGAIN;
    else if (why != SSL_ERROR_SYSCALL || errno == 0)
        errno = ECONNRESET;
    return -1;
}

#else

bool tls_available(void) { return false; }

struct tls *tls_new(int fd, const char *host, const char *ca, char error[256])
{
    (void)fd, (void)host, (void)ca;
    snprintf(error, 256, "this PersAI was built without TLS");
    return NULL;
}

bool tls_check(const char *ca, char error[256])
{
    (void)ca;
    snprintf(error, 256, "this PersAI was built without TLS");
    return false;
}

void tls_free(struct tls *t) { CHECK(!t); }
enum tls_state tls_greet(struct tls *t, char error[256])
{
    (void)t, (void)error;
    return TLS_FAILED;
}
bool tls_wants_write(const struct tls *t) { return t != NULL; }
ssize_t tls_read(struct tls *t, void *bytes, size_t len)
{
    (void)t, (void)bytes, (void)len;
    return -1;
}
ssize_t tls_write(struct tls *t, const void *bytes, size_t len)
{
    (void)t, (void)bytes, (void)len;
    return -1;
}

#endif
