/* common/redis/sha1.h: SHA-1, by which Redis names scripts (nothing here relies on it as a digest;
 * RFC 3174). */
#ifndef COMMON_REDIS_SHA1_H
#define COMMON_REDIS_SHA1_H

#include "common/buf.h"

void redis_sha1(struct str in, unsigned char digest[20]);

#endif
