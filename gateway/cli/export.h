/* gateway/cli/export.h: a conversation as a document, from GET /session/ID. */
#ifndef GATEWAY_CLI_EXPORT_H
#define GATEWAY_CLI_EXPORT_H

#include <jansson.h>
#include "common/buf.h"
#include "gateway/cli/talk.h"

/* format: "md" (NULL: the same) or "json"; to stdout. */
enum exit_code export_write(struct client *c, struct out *out, struct id session,
                            const char *format);
/* Pure: the session as Markdown: questions, the calls with their arguments, answers. */
void export_markdown(struct buf *b, const json_t *session);

#endif
