#include "worker/tools/docs/docs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "proto/path.h"
#include "worker/tools/handlers.h"
#include "worker/tools/args.h"
#include "worker/tools/docs/markdown.h"
#include "worker/tools/source.h"
#include "worker/tools/text.h"

/* What this conversation is offered: everybody's documents, and its own projects'. */
#define OFFERED " (project = '' OR instr(?9, '|' || project || '|') > 0) "

enum {
    LOOK_MS = 30000,
    FOUND = 5, /* without a limit */
    PATH_BYTES_MAX = 512,
    MATCH_BYTES_MAX = 2048,
    SNIPPET_SHOWN = 700,
    HEADING_SHOWN = 300,
    REST_BYTES = 1200,
    PROJECTS_BYTES_MAX = 4096,
    PERSES_TIMEOUT_MS = 10000,
};

/* One state of the folder, read-only once it is made. Used by threads and the loop: SQLite is
 * serialized, and the last who holds it frees it, on the loop. */
struct index {
    sqlite3 *db;
    struct buf projects; /* that have documents of their own, as |a|b| */
    unsigned refs, files, sections, left_out;
};
struct docs {
    struct loop *loop;
    char *folder;
    struct loop_timer *timer;
    struct index *index; /* NULL: none yet */
    uint64_t signature;
    bool working, closing;
};

static void index_free(struct index *i)
{
    if (i == NULL || --i->refs > 0)
        return;
    sqlite3_close(i->db);
    buf_free(&i->projects);
    free(i);
}

/* ---- making an index. In a thread: nothing here touches the loop ---- */

struct scan {
    struct docs *docs;
    char *folder;
    uint64_t before, signature;
    /* walking */
    unsigned files, left_out;
    uint64_t bytes;
    struct index *index; /* NULL: only looked at */
    sqlite3_stmt *insert;
    const char *file; /* relative */
};

static bool is_document(const char *name)
{
    static const char *const ends[] = {".md", ".markdown", ".txt"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t end = strlen(ends[i]);
        if (len > end && strcasecmp(name + len - end, ends[i]) == 0)
            return name[0] != '.';
    }
    return false;
}

/* projects/NAME/… belongs to a project; else it is everybody's: empty. */
static struct str project_of(const char *file)
{
    struct str rest = str_of(file), name;
    if (!str_starts(rest, STR("projects/")))
        return STR("");
    rest = str_skip(rest, strlen("projects/"));
    return str_split(&rest, '/', &name) && rest.at != NULL ? name : STR("");
}

static bool listed(struct str list, struct str name)
{
    struct str one;
    while (str_split(&list, '|', &one))
        if (one.len > 0 && str_eq(one, name))
            return true;
    return false;
}

/* Those whose names Perses does not allow are nobody's. */
static void note_project(struct index *i, struct str project)
{
    if (!path_name_ok(project) || listed(buf_str(&i->projects), project))
        return;
    buf_putc(&i->projects, '|');
    buf_add_str(&i->projects, project);
}

static void on_section(void *arg, const struct section *section)
{
    struct scan *s = arg;
    struct str project = project_of(s->file);
    sqlite3_stmt *insert = s->insert;
    sqlite3_reset(insert);
    sqlite3_bind_text(insert, 1, s->file, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(insert, 2, section->heading.at ? section->heading.at : "",
                      (int)section->heading.len, SQLITE_TRANSIENT);
    sqlite3_bind_int64(insert, 3, section->line);
    sqlite3_bind_text(insert, 4, section->body.at ? section->body.at : "", (int)section->body.len,
                      SQLITE_TRANSIENT);
    sqlite3_bind_text(insert, 5, project.at, (int)project.len, SQLITE_TRANSIENT);
    if (sqlite3_step(insert) == SQLITE_DONE)
        s->index->sections++;
}

static void read_document(struct scan *s, int folder, const char *name, size_t size)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    char *text = xmalloc(size + 1);
    size_t len = 0;
    while (fd >= 0 && len < size) {
        ssize_t got = read(fd, text + len, size - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    markdown_sections((struct str){text, len}, on_section, s);
    free(text);
}

static void mix(uint64_t *hash, const void *bytes, size_t len)
{
    *hash = str_hash(*hash, (struct str){bytes, len});
}

static void take_file(struct scan *s, int folder, const char *name, const char *path,
                      const struct stat *st)
{
    size_t size = (size_t)st->st_size;
    if (s->files == DOCS_FILES_MAX || size > DOCS_FILE_BYTES_MAX ||
        s->bytes + size > DOCS_BYTES_MAX) {
        s->left_out++;
        return;
    }
    s->files++;
    s->bytes += size;
    mix(&s->signature, path, strlen(path) + 1);
    mix(&s->signature, &st->st_mtim, sizeof(st->st_mtim));
    mix(&s->signature, &st->st_size, sizeof(st->st_size));
    s->file = path;
    if (s->index) {
        note_project(s->index, project_of(path));
        read_document(s, folder, name, size);
    }
}

/* In the order of the names: the same folder gives the same signature. */
static void walk(struct scan *s, int at, const char *name, const char *path, unsigned depth)
{
    struct dirent **entries;
    int folder = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
    if (folder < 0)
        return;
    int count = scandirat(folder, ".", &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *entry = entries[i]->d_name;
        char below[PATH_BYTES_MAX];
        struct stat st;
        int len = snprintf(below, sizeof(below), "%s%s%s", path, path[0] ? "/" : "", entry);
        bool fits = entry[0] != '.' && len > 0 && (size_t)len < sizeof(below) &&
                    fstatat(folder, entry, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (fits && S_ISDIR(st.st_mode) && depth < DOCS_DEPTH_MAX)
            walk(s, folder, entry, below, depth + 1);
        else if (fits && S_ISREG(st.st_mode) && is_document(entry))
            take_file(s, folder, entry, below, &st);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    close(folder);
}

static void look(struct scan *s)
{
    s->files = s->left_out = 0;
    s->bytes = 0;
    s->signature = STR_HASH_NONE;
    walk(s, AT_FDCWD, s->folder, "", 0);
}

static bool make_tables(sqlite3 *db)
{
    return sqlite3_exec(db,
                        "CREATE TABLE sections(id INTEGER PRIMARY KEY, file TEXT, heading TEXT,"
                        " line INTEGER, body TEXT, project TEXT);"
                        "CREATE INDEX files ON sections(file, id);"
                        "CREATE VIRTUAL TABLE found USING fts5(heading, body, content='sections',"
                        " content_rowid='id', tokenize='porter unicode61 remove_diacritics 2');"
                        "BEGIN",
                        NULL, NULL, NULL) == SQLITE_OK;
}

static void scan_work(void *arg)
{
    struct scan *s = arg;
    look(s);
    if (s->signature == s->before)
        return;
    struct index *i = xcalloc(1, sizeof(*i));
    i->refs = 1;
    buf_init(&i->projects, DOCS_FILES_MAX * PATH_BYTES_MAX);
    s->index = i;
    bool ok = sqlite3_open_v2(":memory:", &i->db,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                              NULL) == SQLITE_OK &&
              make_tables(i->db) &&
              sqlite3_prepare_v2(i->db,
                                 "INSERT INTO sections(file, heading, line, body, project)"
                                 " VALUES(?, ?, ?, ?, ?)",
                                 -1, &s->insert, NULL) == SQLITE_OK;
    if (ok)
        look(s);
    sqlite3_finalize(s->insert);
    ok = ok && sqlite3_exec(i->db,
                            "COMMIT; INSERT INTO found(found) VALUES('rebuild');"
                            "PRAGMA query_only = 1",
                            NULL, NULL, NULL) == SQLITE_OK;
    i->files = s->files;
    i->left_out = s->left_out;
    if (!ok) {
        index_free(i);
        s->index = NULL;
    }
}

/* ---- the folder, now and then ---- */

static void docs_end(struct docs *d)
{
    index_free(d->index);
    free(d->folder);
    free(d);
}

static void on_scanned(void *arg)
{
    struct scan *s = arg;
    struct docs *d = s->docs;
    d->working = false;
    if (s->index) {
        log_info("docs.indexed", "files=%u sections=%u left_out=%u", s->index->files,
                 s->index->sections, s->index->left_out);
        index_free(d->index);
        d->index = s->index;
        d->signature = s->signature;
    } else if (s->signature != s->before) {
        log_warn("docs.unindexed", "The documents could not be indexed.");
    }
    free(s->folder);
    free(s);
    if (d->closing)
        docs_end(d);
}

static void on_time(void *arg)
{
    struct docs *d = arg;
    if (d->working)
        return;
    struct scan *s = xcalloc(1, sizeof(*s));
    s->docs = d;
    s->folder = xstrdup(d->folder);
    s->before = d->signature;
    d->working = true;
    loop_work(d->loop, scan_work, on_scanned, s);
}

struct docs *docs_new(struct loop *loop, const char *folder)
{
    if (folder == NULL || folder[0] == '\0')
        return NULL;
    struct docs *d = xcalloc(1, sizeof(*d));
    d->loop = loop;
    d->folder = xstrdup(folder);
    d->timer = loop_timer_new(loop, on_time, d);
    loop_timer_set(d->timer, 0, LOOK_MS);
    return d;
}

void docs_free(struct docs *d)
{
    if (!d)
        return;
    loop_timer_free(d->timer);
    d->closing = true;
    if (!d->working)
        docs_end(d);
}

bool docs_ready(const struct docs *d) { return d != NULL && d->index != NULL; }

bool docs_count(const struct docs *d, unsigned *files, unsigned *left_out)
{
    *files = docs_ready(d) ? d->index->files : 0;
    *left_out = docs_ready(d) ? d->index->left_out : 0;
    return docs_ready(d);
}

void docs_look(struct docs *d) { on_time(d); }

/* ---- a question to the index, answered in a thread ---- */

struct ask {
    struct tool_run *run; /* NULL: cancelled */
    struct index *index;
    /* projects before the conversation that have documents: |a|b|, and those of them that the
     * person may read: the others' are not for them */
    struct buf named, projects;
    struct str rest, asked; /* of named: still to be asked of Perses; being asked */
    struct source_request perses;
    bool working; /* in the thread */
    /* search */
    char *match, *runbook; /* runbook: file name without its end, lower case, or NULL */
    char *section;         /* of the runbook, as its anchor names it; NULL: none is named */
    unsigned limit;
    /* read */
    char *file, *heading;
    int64_t from_line;
    /* the answer */
    struct buf content, code;
    void (*work)(void *arg);
};

static void ask_free(struct ask *a)
{
    index_free(a->index);
    source_request_free(&a->perses);
    buf_free(&a->named);
    buf_free(&a->projects);
    free(a->match);
    free(a->runbook);
    free(a->section);
    free(a->file);
    free(a->heading);
    buf_free(&a->content);
    buf_free(&a->code);
    free(a);
}

static void on_answered(void *arg)
{
    struct ask *a = arg;
    struct tool_run *r = a->run;
    if (r) {
        r->state = NULL;
        if (a->code.len > 0)
            run_fail(r, buf_cstr(&a->code), "%s", buf_cstr(&a->content));
        else {
            buf_add_str(&r->content, buf_str(&a->content));
            run_done(r);
        }
    }
    ask_free(a);
}

static void forget(void *state)
{
    struct ask *a = state;
    if (!a)
        return;
    a->run = NULL;
    if (!a->working) /* else the thread may still be at it */
        ask_free(a);
}

static void name_project(struct ask *a, struct str project)
{
    if (!listed(buf_str(&a->index->projects), project) || listed(buf_str(&a->named), project))
        return;
    buf_putc(&a->named, '|');
    buf_add_str(&a->named, project);
}

/* Of its datasources and of the dashboard in front of the person. */
static void name_projects(struct ask *a)
{
    const struct tool_run *r = a->run;
    struct path path;
    name_project(a, str_of(r->project));
    for (unsigned i = 0; i < r->path_count; i++)
        if (path_parse(str_of(r->paths[i]), &path) == ERR_NONE)
            name_project(a, path.project);
}

static struct ask *ask_new(struct tool_run *r, void (*work)(void *arg))
{
    struct docs *d = r->tools->docs;
    if (!docs_ready(d)) {
        run_fail(r, "no_documents", "%s",
                 d == NULL ? "This deployment has no documents."
                           : "The documents are not indexed yet. Try again in a moment.");
        return NULL;
    }
    struct ask *a = xcalloc(1, sizeof(*a));
    a->run = r;
    a->index = d->index;
    a->index->refs++;
    a->work = work;
    buf_init(&a->named, PROJECTS_BYTES_MAX);
    buf_init(&a->projects, PROJECTS_BYTES_MAX);
    buf_putc(&a->projects, '|');
    buf_init(&a->content, r->tools->config.content_bytes_max);
    buf_init(&a->code, 32);
    r->state = a;
    r->state_free = forget;
    return a;
}

static void ask_next_project(struct ask *a);

static bool on_project_piece(void *arg, struct str piece)
{
    (void)arg, (void)piece; /* that it is answered is the answer */
    return true;
}

static void on_project(void *arg, enum source_outcome outcome)
{
    struct ask *a = arg;
    struct tool_run *r = a->run;
    bool refused = a->perses.http_status >= 400 && a->perses.http_status < 500;
    if (outcome == SOURCE_REFUSED && (!refused || a->perses.unauthorized)) {
        r->state = NULL;
        r->unauthorized = a->perses.unauthorized;
        run_fail(r, a->perses.unauthorized ? "unauthorized" : "unavailable", "%s",
                 "Perses could not be asked whether this person may see the documents of the "
                 "project.");
        ask_free(a);
        return;
    }
    if (outcome != SOURCE_REFUSED) {
        buf_add_str(&a->projects, a->asked);
        buf_putc(&a->projects, '|');
    }
    ask_next_project(a);
}

/* A project's documents are for those who may read the project in Perses. */
static void ask_next_project(struct ask *a)
{
    scoped_buf(form, 1);
    scoped_buf(api, PATH_BYTES_MAX);
    do {
        if (!str_split(&a->rest, '|', &a->asked)) {
            a->working = true;
            loop_work(a->run->tools->config.loop, a->work, on_answered, a);
            return;
        }
    } while (a->asked.len == 0);
    buf_puts(&api, "/api/v1/projects/");
    buf_add_str(&api, a->asked);
    struct source_call request = {.method = "GET",
                                  .api = buf_cstr(&api),
                                  .form = &form,
                                  .timeout_ms = PERSES_TIMEOUT_MS,
                                  .product = "Perses",
                                  .trace = a->run->span.at};
    a->perses.on_piece = on_project_piece;
    a->perses.on_end = on_project;
    a->perses.arg = a;
    source_request(&a->perses, a->run->tools, NULL, a->run->token, &request);
}

static void ask_go(struct ask *a)
{
    name_projects(a);
    a->rest = buf_str(&a->named);
    ask_next_project(a);
}

static struct str column(sqlite3_stmt *s, int i)
{
    const char *text = (const char *)sqlite3_column_text(s, i);
    return (struct str){text, text ? (size_t)sqlite3_column_bytes(s, i) : 0};
}

/* Line by line, so that a list stays a list. False: it did not all fit. */
static bool add_lines(struct buf *b, struct str text, size_t max_bytes, int64_t *lines)
{
    struct str line;
    while (text.len > 0) {
        const char *end = memchr(text.at, '\n', text.len);
        line = (struct str){text.at, end ? (size_t)(end - text.at) : text.len};
        if (b->len + line.len + 8 > max_bytes)
            return false;
        text_clean(b, line, 2000);
        buf_putc(b, '\n');
        text = str_skip(text, line.len + (end != NULL));
        *lines += 1;
    }
    return true;
}

/* ---- search_docs ---- */

static void write_found(struct ask *a, sqlite3_stmt *s, unsigned shown, bool runbook)
{
    scoped_buf(text, SNIPPET_SHOWN * 4);
    int64_t lines = 0;
    struct buf *b = &a->content;
    add_lines(&text, column(s, 3), SNIPPET_SHOWN, &lines);
    buf_puts(b, shown > 0 ? ",{\"file\":" : "{\"file\":");
    text_json(b, column(s, 0), PATH_BYTES_MAX);
    json_key(b, "heading");
    text_json(b, column(s, 1), HEADING_SHOWN);
    buf_printf(b, ",\"line\":%lld", (long long)sqlite3_column_int64(s, 2));
    if (runbook)
        buf_puts(b, ",\"is_the_runbook\":true");
    json_field(b, "text", buf_str(&text));
    buf_putc(b, '}');
}

/* As an anchor has a heading: lower case, blanks are '-', other marks go (GitHub, GitLab). */
static void write_anchor(struct buf *b, struct str heading)
{
    for (size_t i = 0; i < heading.len; i++) {
        char c = heading.at[i];
        if (c >= 'A' && c <= 'Z')
            buf_putc(b, (char)(c + 32));
        else if (c & 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
            buf_putc(b, c);
        else if (c == ' ' || c == '-')
            buf_putc(b, '-');
    }
}

/* Of "Runbooks > Disk full" the anchor is disk-full. */
static bool is_section(const char *anchor, struct str heading)
{
    struct str last = heading;
    for (size_t i = 0; i + 3 <= heading.len; i++)
        if (memcmp(heading.at + i, " > ", 3) == 0)
            last = str_skip(heading, i + 3);
    scoped_buf(b, PATH_BYTES_MAX);
    write_anchor(&b, last);
    return str_is(buf_str(&b), anchor);
}

/* The named section, where there is one; else how the document begins. */
static unsigned write_runbook(struct ask *a, sqlite3_stmt *s)
{
    unsigned shown = 0;
    while (a->section && shown == 0 && sqlite3_step(s) == SQLITE_ROW)
        if (is_section(a->section, column(s, 1)))
            write_found(a, s, shown++, true);
    sqlite3_reset(s);
    while (!(a->section && shown > 0) && shown < 2 && sqlite3_step(s) == SQLITE_ROW)
        write_found(a, s, shown++, true);
    return shown;
}

/* The document that a runbook_url names: by the last part of its path, and its anchor. */
static unsigned find_runbook(struct ask *a)
{
    sqlite3_stmt *s = NULL;
    if (a->runbook == NULL ||
        sqlite3_prepare_v2(a->index->db,
                           "SELECT file, heading, line, substr(body, 1, 4000) FROM sections"
                           " WHERE" OFFERED "AND"
                           " (lower(file) IN (?1 || '.md', ?1 || '.markdown', ?1 || '.txt')"
                           " OR lower(file) LIKE '%/' || ?2 || '.md' ESCAPE '\\'"
                           " OR lower(file) LIKE '%/' || ?2 || '.txt' ESCAPE '\\')"
                           " ORDER BY project = '', id",
                           -1, &s, NULL) != SQLITE_OK)
        return 0;
    scoped_buf(pattern, PATH_BYTES_MAX * 2);
    for (const char *c = a->runbook; *c; c++) {
        if (*c == '%' || *c == '_' || *c == '\\')
            buf_putc(&pattern, '\\');
        buf_putc(&pattern, *c);
    }
    sqlite3_bind_text(s, 1, a->runbook, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, buf_cstr(&pattern), -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 9, a->projects.at, (int)a->projects.len, SQLITE_STATIC);
    unsigned shown = write_runbook(a, s);
    sqlite3_finalize(s);
    return shown;
}

static void search_work(void *arg)
{
    struct ask *a = arg;
    sqlite3_stmt *s = NULL;
    buf_puts(&a->content, "{\"kind\":\"documents\",\"found\":[");
    unsigned shown = find_runbook(a);
    if (a->match[0] != '\0' &&
        sqlite3_prepare_v2(a->index->db,
                           "SELECT sections.file, sections.heading, sections.line, snippet(found, "
                           "1, '', '', '…', 60)"
                           " FROM found JOIN sections ON sections.id = found.rowid"
                           " WHERE found MATCH ?1 AND" OFFERED
                           /* the project's own count double (better is more negative) */
                           " ORDER BY bm25(found, 5.0, 1.0) * (1 + (project <> '')) LIMIT ?2",
                           -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_text(s, 1, a->match, -1, SQLITE_STATIC);
        sqlite3_bind_int(s, 2, (int)a->limit);
        sqlite3_bind_text(s, 9, a->projects.at, (int)a->projects.len, SQLITE_STATIC);
        while (sqlite3_step(s) == SQLITE_ROW) {
            if (a->content.len + SNIPPET_SHOWN * 2 + REST_BYTES > a->content.max_bytes)
                break;
            write_found(a, s, shown++, false);
        }
    }
    sqlite3_finalize(s);
    buf_printf(&a->content, "],\"files\":%u,\"notes\":[", a->index->files);
    if (shown == 0)
        json_str(&a->content, STR("No document fits: try other words."));
    else
        json_str(&a->content, STR("Cite what you use as file and heading. Read the whole of one "
                                  "with read_doc."));
    buf_puts(&a->content, "]}");
}

/* Any of the words, each as a phrase of its own: nothing in it is FTS5's language. */
static char *write_match(struct str query)
{
    scoped_buf(b, MATCH_BYTES_MAX);
    for (size_t i = 0; i < query.len;) {
        size_t from = i;
        while (i < query.len && (query.at[i] & 0x80 || (query.at[i] >= '0' && query.at[i] <= '9') ||
                                 ((query.at[i] | 32) >= 'a' && (query.at[i] | 32) <= 'z')))
            i++;
        if (i == from) {
            i++;
            continue;
        }
        buf_puts(&b, b.len > 0 ? " OR \"" : "\"");
        buf_add(&b, query.at + from, i - from);
        buf_putc(&b, '"');
    }
    return str_dup(b.overflowed ? STR("") : buf_str(&b));
}

/* https://x/runbooks/HighLoad.md#first → highload; NULL: it names nothing */
static char *runbook_name(struct str url)
{
    char name[PATH_BYTES_MAX];
    size_t end = url.len, len = 0;
    for (size_t i = 0; i < url.len; i++)
        if (url.at[i] == '#' || url.at[i] == '?') {
            end = i;
            break;
        }
    while (end > 0 && url.at[end - 1] == '/')
        end--;
    size_t from = end;
    while (from > 0 && url.at[from - 1] != '/')
        from--;
    for (size_t i = from; i < end && len + 1 < sizeof(name); i++)
        name[len++] = url.at[i] >= 'A' && url.at[i] <= 'Z' ? (char)(url.at[i] + 32) : url.at[i];
    name[len] = '\0';
    char *dot = strrchr(name, '.');
    if (dot != NULL && dot > name)
        *dot = '\0';
    return name[0] ? xstrdup(name) : NULL;
}

/* https://x/runbooks/all.md#Disk-Full → disk-full; NULL: it names no section */
static char *section_name(struct str url)
{
    const char *hash = url.len ? memchr(url.at, '#', url.len) : NULL;
    if (!hash)
        return NULL;
    scoped_buf(b, PATH_BYTES_MAX);
    write_anchor(&b, str_skip(url, (size_t)(hash + 1 - url.at)));
    return b.overflowed || b.len == 0 ? NULL : str_dup(buf_str(&b));
}

void docs_search(struct tool_run *r)
{
    struct str url = str_trim(args_str(r->args, "runbook_url"));
    struct str query = str_trim(args_str(r->args, "query"));
    if (query.len == 0 && url.len == 0) {
        run_fail(r, "bad_arguments", "Give words to search for as query, or a runbook_url.");
        return;
    }
    struct ask *a = ask_new(r, search_work);
    if (!a)
        return;
    a->match = write_match(query);
    a->runbook = url.len > 0 ? runbook_name(url) : NULL;
    a->section = section_name(url);
    a->limit = (unsigned)args_int(r->args, "limit", FOUND);
    ask_go(a);
}

/* ---- read_doc ---- */

static bool heading_fits(const struct ask *a, struct str heading)
{
    struct str wanted = str_of(a->heading);
    if (wanted.len == 0 ||
        (heading.len == wanted.len && strncasecmp(heading.at, wanted.at, wanted.len) == 0))
        return true;
    /* the last of "A > B", or one above it */
    for (size_t i = 0; i + wanted.len <= heading.len; i++) {
        size_t end = i + wanted.len;
        bool starts = i == 0 || (i >= 2 && memcmp(heading.at + i - 2, "> ", 2) == 0);
        bool ends = end == heading.len || heading.at[end] == ' ';
        if (starts && ends && strncasecmp(heading.at + i, wanted.at, wanted.len) == 0)
            return true;
    }
    return false;
}

static void read_work(void *arg)
{
    struct ask *a = arg;
    sqlite3_stmt *s = NULL;
    size_t room = a->content.max_bytes * 3 / 4 - REST_BYTES / 2;
    int64_t next = 0;
    bool any = false, file = false;
    scoped_buf(text, a->content.max_bytes);
    if (sqlite3_prepare_v2(a->index->db,
                           "SELECT heading, line, body FROM sections WHERE file = ?1 AND" OFFERED
                           "ORDER BY id",
                           -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_text(s, 1, a->file, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 9, a->projects.at, (int)a->projects.len, SQLITE_STATIC);
    }
    while (next == 0 && sqlite3_step(s) == SQLITE_ROW) {
        struct str body = column(s, 2);
        int64_t line = sqlite3_column_int64(s, 1);
        file = true;
        if (!heading_fits(a, column(s, 0)))
            continue;
        any = true;
        for (; line < a->from_line && body.len > 0; line++) { /* lines that were read before */
            const char *end = memchr(body.at, '\n', body.len);
            body = str_skip(body, end ? (size_t)(end - body.at) + 1 : body.len);
        }
        if (body.len > 0 && !add_lines(&text, body, room, &line))
            next = line;
    }
    sqlite3_finalize(s);
    if (!any) {
        buf_puts(&a->code, file ? "no_heading" : "no_document");
        buf_puts(&a->content, file ? "The document has no such heading: read it without one."
                                   : "There is no such document: search_docs names them.");
        return;
    }
    buf_puts(&a->content, "{\"kind\":\"document\",\"file\":");
    text_json(&a->content, str_of(a->file), PATH_BYTES_MAX);
    if (a->heading[0] != '\0') {
        json_key(&a->content, "heading");
        text_json(&a->content, str_of(a->heading), HEADING_SHOWN);
    }
    json_field(&a->content, "text", buf_str(&text));
    if (next > 0)
        buf_printf(&a->content, ",\"next_line\":%lld", (long long)next);
    buf_puts(&a->content, ",\"notes\":[");
    if (next > 0)
        json_str(&a->content, STR("There is more: read on with from_line."));
    buf_puts(&a->content, "]}");
}

void docs_read(struct tool_run *r)
{
    struct ask *a = ask_new(r, read_work);
    if (!a)
        return;
    a->file = str_dup(str_trim(args_str(r->args, "file")));
    a->heading = str_dup(str_trim(args_str(r->args, "heading")));
    a->from_line = args_int(r->args, "from_line", 0);
    ask_go(a);
}
