/* What a begin brings a worker, with any bytes: read as a load that holds what it promises, or not
 * at all. */
#include "common/check.h"
#include "proto/store/turn.h"
#include "tests/fuzz/take.h"

static unsigned told;

static void on_opened(void *arg, enum err err, const struct store_answer *a)
{
    const struct id *session = arg;
    told++;
    CHECK(err == ERR_NONE && id_eq(a->session, *session) && a->load != NULL);
    CHECK(a->load->session.running_state <= TURN_CANCELLED);
    for (unsigned i = 0; i < a->message_count; i++)
        CHECK(a->messages[i].record.role <= ROLE_TOOL);
    for (unsigned i = 0; i < a->load->decision_count; i++)
        CHECK(a->load->decisions[i].what >= DECISION_NONE &&
              a->load->decisions[i].what <= DECISION_BEGUN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct id session = {{1}};
    told = 0;
    bool opened =
        store_opening_read((struct str){(const char *)data, size}, session, on_opened, &session);
    CHECK(told == opened);
    return 0;
}
