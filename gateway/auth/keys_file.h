/* gateway/auth/keys_file.h: the file of keys for programs (PERSAI_API_KEYS): its rows, and a new
 * one. Pure.
 *
 * The file has no key, only the SHA-256 of each: a key is 256 random bits, so that nothing slower
 * is needed, and who reads the file can't ask with it. */
#ifndef GATEWAY_AUTH_KEYS_FILE_H
#define GATEWAY_AUTH_KEYS_FILE_H

#include <stdint.h>
#include "common/buf.h"
#include "proto/switches.h"

/* What a key may be used for. */
enum door {
#define X(name, word) DOOR_##name,
    DOORS(X)
#undef X
        DOOR_COUNT
};
const char *door_word(enum door d);

enum { KEY_NAME_MAX = 64, KEY_ROWS_MAX = 1000, KEY_HASH = 32, KEYS_FILE_BYTES_MAX = 1 << 20 };
#define KEY_PREFIX "pk-"

struct key_row {
    char *name, *user, *password_file;
    char *datasource; /* a path of Perses's proxy; NULL: none is given */
    unsigned char sha256[KEY_HASH];
    unsigned doors;               /* bits: 1 << enum door */
    bool activity;                /* its clients are shown what is done, not only the answer */
    uint32_t requests_per_minute; /* at one gateway; 0: as many as its user may */
};
struct key_rows { /* zeroed: none */
    struct key_row *at;
    unsigned count;
};
/* False: nothing is in out, and error says in which line what is wrong. */
bool key_rows_read(struct str json, struct key_rows *out, char error[256]) warn_unused;
void key_rows_free(struct key_rows *r);

void key_hash(struct str key, unsigned char out[KEY_HASH]);
/* A new key and its row for the file, as text for the operator. False: name is no name of a key. */
bool key_make(const char *name, struct buf *out) warn_unused;

#endif
