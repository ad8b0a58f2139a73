/* gateway/api/admission.h: what a person hears who may have no turn run now. */
#ifndef GATEWAY_API_ADMISSION_H
#define GATEWAY_API_ADMISSION_H

#include "proto/store/answer.h"

struct admission {
    enum err err; /* ERR_NONE: they may */
    uint32_t retry_after_s;
    char sentence[160]; /* "": the error's own */
};
/* Of an answer of places_begin. */
struct admission admission_of(const struct store_answer *a);
/* For call_fail. */
const char *admission_sentence(const struct admission *m);

#endif
