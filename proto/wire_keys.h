/* proto/wire_keys.h: CURVE keys on disk, who may connect with them, and who may stay.
 *
 * A folder (mode 700) holds gateway.key, gateway.key_secret, worker.key, worker.key_secret (ZeroMQ
 * certificate files, by zcert) and workers/: the public certificates that a gateway accepts. ZeroMQ
 * checks a key when a connection is made and never again, so who is taken off the list later is
 * found here. */
#ifndef PROTO_WIRE_KEYS_H
#define PROTO_WIRE_KEYS_H

#include <stdbool.h>
#include "common/buf.h"
#include "common/check.h"

/* Makes both pairs and lists the worker's. False and a sentence; keys that are there are not
 * overwritten. */
bool wire_keys_make(const char *dir, char error[256]) warn_unused;

/* socket is libzmq's: gives it a gateway's, a worker's pair. False and a sentence: keys that can't
 * be read. */
bool wire_keys_serve(void *socket, const char *dir, char error[256]) warn_unused;
bool wire_keys_connect(void *socket, const char *dir, char error[256]) warn_unused;
/* Could they serve, and is there a worker on the list? False and a sentence. Nothing is begun. */
bool wire_keys_check(const char *dir, char error[256]) warn_unused;
/* What a worker needs of it. */
bool wire_keys_check_worker(const char *dir, char error[256]) warn_unused;
/* Ends what wire_keys_serve began; after the socket's end. */
void wire_keys_stop(void);

/* The certificates in DIR/workers, as they are now. */
struct wire_keys;
struct wire_keys *wire_keys_new(const char *dir);
void wire_keys_free(struct wire_keys *k); /* NULL is fine */
/* Reads the folder again where it has changed (a look at its files' times when it has not). */
bool wire_keys_changed(struct wire_keys *k);
/* Is this public key (Z85, 40 characters: RFC 32 of ZeroMQ) on the list? */
bool wire_keys_has(const struct wire_keys *k, struct str key);

#endif
