/* gateway/api/saying.h: what an event says, read without a tree where it is a token: doors say
 * each in their own words. Pure. */
#ifndef GATEWAY_API_SAYING_H
#define GATEWAY_API_SAYING_H

#include <jansson.h>
#include "common/buf.h"

enum saying_kind { SAYING_TEXT, SAYING_REASONING, SAYING_NOTICE, SAYING_OTHER };
struct saying {
    enum saying_kind kind;
    /* Not of SAYING_OTHER: as it stands in the JSON, escaped, without its quotes; of whole
     * characters. */
    struct str text, step_id;
};
/* payload: what event.h wrote. Borrows. What is no delta of text is SAYING_OTHER. */
void saying_read(struct str payload, struct saying *out);
/* Why an answer is not whole, by the turn of turn_complete. */
enum saying_cut { SAYING_WHOLE, SAYING_LENGTH, SAYING_FILTERED };
enum saying_cut saying_cut(const json_t *turn);
/* The payload's object, a new reference; NULL: it is none. */
json_t *saying_tree(struct str payload);

#endif
