/* proto/err.h: enum err, its stable words, HTTP statuses and sentences: the rows of errors.def. */
#ifndef PROTO_ERR_H
#define PROTO_ERR_H

#include "common/buf.h"
#include "common/check.h"

enum err {
    ERR_NONE = 0,
#define ERROR(name, word, http_status, sentence) ERR_##name,
#include "proto/errors.def"
#undef ERROR
    ERR_COUNT
};

const char *err_word(enum err e);     /* "none" for ERR_NONE */
unsigned err_http_status(enum err e); /* 500 where the table has 0 */
const char *err_sentence(enum err e);
/* {"detail":{"response": sentence, "code": word}}; sentence NULL: the table's. */
void err_json(struct buf *b, enum err e, const char *sentence);

#endif
