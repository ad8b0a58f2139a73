/* Is a reply an answer? A question about data is not answered before any was read; numbers that no
 * result has and partial data that is told as whole are not what was read. The model is told once
 * of each, as a further attempt of the same step, so that what was streamed is dropped. What is
 * still wrong then is said to the person behind the answer, where every client shows it. */
#include "worker/turn/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/traced.h"

enum { CLAIMS_TOLD_MAX = 6, NOTE_BYTES_MAX = 1024 };

static bool is_one(struct str name, const char *const *names)
{
    for (; *names; names++)
        if (str_is(name, *names))
            return true;
    return false;
}

/* What these give is nothing of the systems that are asked about. */
static bool reads(struct str tool)
{
    static const char *const others[] = {"show_plan", "find_tools", "list_datasources", NULL};
    return !is_one(tool, others);
}

static bool queries(struct str tool)
{
    static const char *const names[] = {"execute_instant_query",
                                        "execute_range_query",
                                        "histogram_quantile",
                                        "run_panel",
                                        "loki_query",
                                        NULL};
    return is_one(tool, names);
}

static uint64_t hash_call(const struct record_call *call)
{
    return str_hash(str_hash(STR_HASH_NONE, call->tool_name), call->arguments);
}

static bool has_call(const struct turn_calls *c, uint64_t h)
{
    for (unsigned i = 0; c && i < c->count && i < TURN_FAILED_MAX; i++)
        if (c->hashes[i] == h)
            return true;
    return false;
}

static void note_call(struct turn_doubt *d, const struct record_message *asked,
                      const struct record_response *r)
{
    struct turn_calls **of = r->failed ? &d->failed : &d->worked;
    struct turn_calls *c = *of ? *of : xcalloc(1, sizeof(*c));
    *of = c;
    for (unsigned i = 0; i < asked->call_count; i++) {
        uint64_t h = hash_call(&asked->calls[i]);
        if (!str_eq(asked->calls[i].call_id, r->call_id))
            continue;
        d->repeats = d->repeats || (!r->failed && has_call(c, h));
        c->hashes[c->count++ % TURN_FAILED_MAX] = h;
    }
}

bool turn_failed_before(void *turn, const struct record_call *call)
{
    return has_call(((const struct turn *)turn)->doubt.failed, hash_call(call));
}

static size_t text_bytes(const struct record_message *m)
{
    size_t bytes = m->role == ROLE_USER ? m->content.len : 0;
    for (unsigned i = 0; i < m->call_count; i++)
        bytes += m->calls[i].arguments.len;
    for (unsigned i = 0; i < m->response_count; i++)
        bytes += m->responses[i].content.len;
    return bytes;
}

/* From where on numbers are known: what is older than that no model is shown, and to read all of a
 * conversation's megabytes takes others' turns too long. */
static unsigned known_from(const struct turn *t, const struct store_message *messages,
                           unsigned count)
{
    enum { KNOWN_BYTES_MAX = 4 << 20 }; /* the largest windows, as text */
    size_t bytes = 0;
    unsigned from = count;
    while (from > 0 && (bytes <= KNOWN_BYTES_MAX || id_eq(messages[from - 1].record.turn, t->id)))
        bytes += text_bytes(&messages[--from].record);
    return from;
}

void turn_doubt_read(struct turn *t, const struct store_message *messages, unsigned count)
{
    struct turn_doubt *d = &t->doubt;
    claims_free(&d->known);
    d->read = d->read_now = d->queried = d->acted = d->repeats = false;
    free(d->failed);
    free(d->worked);
    d->failed = d->worked = NULL;
    for (unsigned i = known_from(t, messages, count); i < count; i++) {
        const struct record_message *m = &messages[i].record;
        bool ours = id_eq(m->turn, t->id);
        if (m->role == ROLE_USER)
            claims_know(&d->known, m->content);
        for (unsigned k = 0; m->role == ROLE_ASSISTANT && k < m->call_count; k++) {
            claims_know(&d->known, m->calls[k].arguments);
            d->acted = d->acted || (ours && tools_change(m->calls[k].tool_name));
        }
        for (unsigned k = 0; m->role == ROLE_TOOL && k < m->response_count; k++) {
            const struct record_response *r = &m->responses[k];
            if (ours)
                claims_know_result(&d->known, r->content);
            else
                claims_know(&d->known, r->content);
            d->read = d->read || (!r->failed && reads(r->tool_name));
            d->read_now = d->read_now || (ours && !r->failed && reads(r->tool_name));
            d->queried = d->queried || (ours && !r->failed && queries(r->tool_name));
            if (ours && i > 0)
                note_call(d, &messages[i - 1].record, r);
        }
    }
    claims_know(&d->known, str_of(t->context.about));
}

/* Of what the model is told of numbers that nothing has. */
static void write_claims(const struct claim *claims, unsigned count, struct buf *b)
{
    for (unsigned i = 0; i < count; i++)
        buf_printf(b, "%s%s", i > 0 ? ", " : "", claims[i].text);
}

/* The model is told, or it was: then the person is. */
static void doubt(struct turn *t, struct reply *r, bool *told, struct str to_model,
                  struct str to_person, bool *again)
{
    if (!*told && !agent_last_call(&t->agent)) {
        struct turn_doubt *d = &t->doubt;
        *told = *again = true;
        free(d->draft);
        free(d->note);
        d->draft = str_dup(buf_str(&r->content));
        d->note = str_dup(to_model);
        return;
    }
    enum err err = reply_text(r, STR("\n\n> ")); /* a note, set apart from the answer */
    if (err == ERR_NONE)
        err = reply_text(r, to_person);
    log_info("turn.doubted", "turn=%s err=%s", traced_log(t->id), err_word(err));
}

static void doubt_numbers(struct turn *t, struct reply *r, bool *again)
{
    struct claim claims[CLAIMS_TOLD_MAX];
    struct turn_doubt *d = &t->doubt;
    unsigned count = claims_unsupported(&d->known, buf_str(&r->content), claims, CLAIMS_TOLD_MAX);
    if (count == 0)
        return;
    scoped_buf(to_model, NOTE_BYTES_MAX);
    scoped_buf(to_person, NOTE_BYTES_MAX);
    buf_puts(&to_model, "[Said by PersAI: your answer states ");
    write_claims(claims, count, &to_model);
    buf_puts(&to_model, ", which no result has. Query what is missing, or answer again with the "
                        "numbers of the results only.]");
    buf_puts(&to_person, "Not found in the data that was read: ");
    write_claims(claims, count, &to_person);
    buf_puts(&to_person, ".");
    doubt(t, r, &d->numbers, buf_str(&to_model), buf_str(&to_person), again);
}

static void doubt_lack(struct turn *t, struct reply *r, bool *again)
{
    struct turn_doubt *d = &t->doubt;
    switch (claims_conceals(&d->known, buf_str(&r->content))) {
    case CLAIMS_LACK_NOTHING:
        break;
    case CLAIMS_LACK_PART:
        doubt(
            t, r, &d->lack,
            STR("[Said by PersAI: a result was partial or cut; your answer does not say so. Answer "
                "again, and say what is missing.]"),
            STR("The data behind this answer was partial or cut."), again);
        break;
    case CLAIMS_LACK_ALL:
        doubt(t, r, &d->lack,
              STR("[Said by PersAI: your queries returned no data at all; your answer does not say "
                  "so. Query something that has data, or answer that there is none.]"),
              STR("No query of this answer returned any data."), again);
        break;
    }
}

/* Does it state anything of the systems? "Fine." and "Which one do you mean?" don't; a number does,
 * and so does that there is no such thing. */
static bool states(struct turn_doubt *d, struct str answer)
{
    enum { SENTENCE_BYTES = 60 };
    struct claim claim;
    return answer.len >= SENTENCE_BYTES || (!d->acted && claims_admits(answer)) ||
           claims_unsupported(&d->known, answer, &claim, 1) > 0;
}

/* Where what fits is known, it stands beside the question; else the model has to find it. */
static void doubt_unread(struct turn *t, struct reply *r, bool fits, bool *again)
{
    doubt(t, r, &t->doubt.no_data,
          fits
              ? STR("[Said by PersAI: you have read no data in this conversation. Metrics that may "
                    "fit stand beside the question: query them and answer with the result. If "
                    "none of them can answer it, say why.]")
              : STR("[Said by PersAI: you have read no data in this conversation, and your answer "
                    "states numbers. Find what has them, query it and answer with the result, or "
                    "say why there is none.]"),
          STR("No data was read for this answer."), again);
}

/* Is it an answer that something should have been read for? Where it is not known what fits the
 * question, it may be about something else: only numbers tell then, only of a small model, which
 * makes them up, and not as long as what fits may still come. */
static bool lacks_data(struct turn *t, bool fits, struct str answer)
{
    struct turn_doubt *d = &t->doubt;
    struct claim claim;
    if (d->read)
        return false;
    if (fits)
        return states(d, answer);
    return t->model->small && !t->lookup.run &&
           claims_unsupported(&d->known, answer, &claim, 1) > 0;
}

/* One doubt at a time: the first of them may cure the others. Where it is not known what fits, the
 * numbers that this turn read are known all the same. */
bool turn_doubts(struct turn *t, struct reply *r)
{
    struct turn_doubt *d = &t->doubt;
    bool again = false, fits = t->lookup.text != NULL;
    if (!t->config->check_answers || r->content.len == 0 || (!fits && !t->lookup.unknown))
        return false;
    if (lacks_data(t, fits, buf_str(&r->content)))
        doubt_unread(t, r, fits, &again);
    else if (d->read && (fits || d->read_now))
        doubt_numbers(t, r, &again);
    if (fits && !again)
        doubt_lack(t, r, &again);
    return again;
}

void turn_doubt_free(struct turn *t)
{
    claims_free(&t->doubt.known);
    free(t->doubt.draft);
    free(t->doubt.note);
    free(t->doubt.failed);
    free(t->doubt.worked);
}
