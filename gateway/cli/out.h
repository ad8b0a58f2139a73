/* gateway/cli/out.h: where the client writes: answers to stdout, notes to stderr.
 *
 * Text goes through screen_clean (or the Markdown drawer) on its way. With json, stdout gets events
 * only, a line of JSON each. */
#ifndef GATEWAY_CLI_OUT_H
#define GATEWAY_CLI_OUT_H

#include "gateway/cli/markdown.h"
#include "gateway/cli/screen.h"

struct out {
    struct screen answer, notes;
    struct markdown markdown;
    bool json, verbose;
    bool in_line; /* the last byte on stdout was no line feed */
    int lost;     /* errno of a write to stdout that failed, else 0 */
};
void out_init(struct out *o, bool json, bool verbose);
void out_free(struct out *o);
/* Its terminal may be another size by now. */
void out_measure(struct out *o);
/* False, and an error is written: stdout did not take all, as with a full disk. */
bool out_whole(struct out *o);
/* The answer's text, in any pieces; a piece's end is out_text_end. */
void out_text(struct out *o, struct str text);
void out_text_end(struct out *o);
/* What is drawn already: it goes to stdout (or stderr) as it is. */
void out_drawn(struct out *o, struct str text);
void out_note_drawn(struct out *o, struct str text);
/* A dimmed line on stderr; what came from others in it is cleaned. */
void out_note(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
void out_error(struct out *o, struct str code, struct str message);
/* With json a line of it on stdout, else nothing. */
void out_json(struct out *o, struct str line);

#endif
