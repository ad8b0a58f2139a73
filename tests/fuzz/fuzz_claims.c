/* A result and an answer of a model that read it, apart by a line of "--": what is doubted are
 * pieces of text, the same ones each time. */
#include <string.h>
#include "common/check.h"
#include "worker/turn/claims.h"

enum { CLAIMS = 8 };

static unsigned doubted(struct str result, struct str answer, struct claim out[CLAIMS])
{
    struct claims c = {0};
    claims_know(&c, STR("What was it in the last 5 minutes?"));
    claims_know_result(&c, result);
    unsigned count = claims_unsupported(&c, answer, out, CLAIMS);
    (void)claims_conceals(&c, answer);
    claims_free(&c);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char apart[] = "\n--\n";
    struct str text = {size > 0 ? (const char *)data : "", size};
    const char *at = size > 0 ? memmem(text.at, text.len, apart, sizeof(apart) - 1) : NULL;
    struct str result = {text.at, at ? (size_t)(at - text.at) : 0};
    struct str answer = str_skip(text, at ? result.len + sizeof(apart) - 1 : 0);
    struct claim first[CLAIMS], second[CLAIMS];
    unsigned count = doubted(result, answer, first);
    CHECK(count <= CLAIMS && doubted(result, answer, second) == count);
    for (unsigned i = 0; i < count; i++) {
        CHECK(first[i].text[0] != '\0' && strcmp(first[i].text, second[i].text) == 0);
        CHECK(!str_utf8(answer) || str_utf8(str_of(first[i].text)));
    }
    (void)claims_admits(answer);
    return 0;
}
