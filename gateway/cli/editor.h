/* gateway/cli/editor.h: lines that a person types, with history and editing. The only module that
 * knows libedit.
 *
 * The history is $XDG_STATE_HOME/persai/history, of mode 0600: what people ask may be private. */
#ifndef GATEWAY_CLI_EDITOR_H
#define GATEWAY_CLI_EDITOR_H

#include "common/buf.h"

struct editor;
struct editor *editor_new(void); /* stdin is a terminal */
void editor_free(struct editor *e);
enum editor_end { EDITOR_LINE, EDITOR_INTERRUPTED, EDITOR_CLOSED };
/* One question, of several lines where each but the last ends in a backslash. */
enum editor_end editor_read(struct editor *e, struct buf *text);

#endif
