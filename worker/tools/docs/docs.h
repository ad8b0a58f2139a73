/* worker/tools/docs/docs.h: a folder of Markdown and text (runbooks, notes) that an operator gave,
 * indexed for full-text search (SQLite FTS5, in memory) by heading, and read by the tools
 * search_docs and read_doc. The only file with sqlite3.h is docs.c.
 *
 * The index is made in a thread of its own and swapped in whole, at start and again whenever the
 * folder changed (looked at every half a minute, also in that thread): the loop never reads a file.
 * Bounded: DOCS_FILES_MAX files of DOCS_FILE_BYTES_MAX, what is over is left out and said. Links
 * that lead out of the folder are not followed. What a document says is data, as everything that a
 * tool brings in.
 *
 * A document under projects/NAME/ is pinned to that project of Perses: it is offered only in
 * conversations that have one of its datasources or dashboards before them, to persons who may read
 * the project (Perses is asked), and counts double there. */
#ifndef WORKER_TOOLS_DOCS_DOCS_H
#define WORKER_TOOLS_DOCS_DOCS_H

#include "worker/tools/run.h"

enum {
    DOCS_FILES_MAX = 5000,
    DOCS_FILE_BYTES_MAX = 1024 * 1024,
    DOCS_BYTES_MAX = 256 * 1024 * 1024,
    DOCS_DEPTH_MAX = 8,
};

struct docs;
struct docs *docs_new(struct loop *loop, const char *folder); /* folder NULL or "": no documents */
void docs_free(struct docs *d);                               /* NULL is fine */
bool docs_ready(const struct docs *d);                        /* indexed at least once */
bool docs_count(const struct docs *d, unsigned *files, unsigned *left_out); /* tools_docs's */
void docs_look(struct docs *d); /* now, not at the next time; for tests */

#endif
