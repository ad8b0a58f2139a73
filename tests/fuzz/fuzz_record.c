/* What Redis gives back: messages, requests, batches of events; what was read is written as events,
 * as GET does. */
#include "proto/event.h"
#include "proto/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};
    struct record_message message;
    struct record_request request;
    struct buf b;
    buf_init(&b, 8 << 20);
    if (record_message_decode(bytes, &message) == ERR_NONE) {
        CHECK(event_tools_complete(&b, STR("s"), &message, &message));
        record_message_free(&message);
    }
    (void)!record_request_decode(bytes, &request);
    struct record_events events;
    record_events_init(&events, bytes);
    for (struct record_event e;
         record_events_more(&events) && record_events_next(&events, &e) == ERR_NONE;)
        CHECK(e.payload.len > 0 && e.seq > 0);
    record_events_free(&events);
    buf_free(&b);
    return 0;
}
