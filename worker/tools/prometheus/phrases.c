#include "worker/tools/prometheus/phrases.h"

#include <string.h>
#include "common/check.h"

/* A letter that only languages without blanks between words are written in. */
static bool is_bare(struct str said) { return (unsigned char)said.at[0] >= 0xE3; }

struct phrase phrase_of(struct str said)
{
    bool bare = is_bare(said), begins = said.at[said.len - 1] == '*';
    said.len -= begins;
    return (struct phrase){.said = said, .before = !bare, .behind = !bare && !begins};
}

struct phrase phrase_part(struct str said) { return (struct phrase){.said = said}; }

size_t phrase_len(const struct phrase *p) { return p->before + p->said.len + p->behind; }

/* There is a byte of the text for each of the phrase. */
static bool is_at(const struct phrase *p, const char *at)
{
    if (p->before && *at++ != ' ')
        return false;
    for (size_t i = 0; i < p->said.len; i++)
        if (at[i] != (p->said.at[i] == '_' ? ' ' : p->said.at[i]))
            return false;
    return !p->behind || at[p->said.len] == ' ';
}

const char *phrase_find(const struct phrase *p, struct str text)
{
    size_t len = phrase_len(p);
    for (size_t i = 0; i + len <= text.len; i++)
        if (is_at(p, text.at + i))
            return text.at + i;
    return NULL;
}

/* ---- many ---- */

static unsigned start(const char at[PHRASE_START])
{
    uint32_t three = (uint32_t)(unsigned char)at[0] | (uint32_t)(unsigned char)at[1] << 8 |
                     (uint32_t)(unsigned char)at[2] << 16;
    return three * UINT32_C(2654435761) >> 20; /* the upper bits of a product depend on all */
}

static char letter(const struct phrase *p, size_t i)
{
    size_t at = i - p->before; /* wraps for the blank before it */
    return at < p->said.len && p->said.at[at] != '_' ? p->said.at[at] : ' ';
}

void phrases_add(struct phrases *all, struct phrase p, unsigned row)
{
    CHECK(all->count < PHRASES_MAX && row <= UINT16_MAX && phrase_len(&p) >= PHRASE_START);
    const char first[PHRASE_START] = {letter(&p, 0), letter(&p, 1), letter(&p, 2)};
    uint16_t *head = &all->first[start(first)];
    p.row = (uint16_t)row;
    p.next = *head;
    all->all[all->count] = p;
    *head = (uint16_t)++all->count;
}

void phrases_find(const struct phrases *all, struct str text, phrases_found found)
{
    for (size_t i = 0; i + PHRASE_START <= text.len; i++)
        for (unsigned next = all->first[start(text.at + i)]; next > 0;) {
            const struct phrase *p = &all->all[next - 1];
            if (phrase_len(p) <= text.len - i && is_at(p, text.at + i))
                found[(next - 1) / 64] |= 1ULL << ((next - 1) % 64);
            next = p->next;
        }
}

unsigned phrases_next(const uint64_t *bits, unsigned from, unsigned max)
{
    for (unsigned i = from / 64; from < max && i <= (max - 1) / 64; i++) {
        uint64_t left = bits[i] & (i == from / 64 ? ~0ULL << (from % 64) : ~0ULL);
        if (left != 0)
            return i * 64 + (unsigned)__builtin_ctzll(left);
    }
    return max;
}

/* ---- letters beside each other ---- */

static unsigned pair(char a, char b) { return ((unsigned)a & 31) << 7 | ((unsigned)b & 127); }

void letters_add(struct letters *l, struct str text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        unsigned at = pair(text.at[i], text.at[i + 1]);
        l->bits[at / 64] |= 1ULL << (at % 64);
    }
}

bool letters_may_have(const struct letters *l, const struct phrase *p)
{
    size_t len = phrase_len(p);
    char before = letter(p, 0);
    for (size_t i = 1; i < len; i++) {
        char now = letter(p, i);
        unsigned at = pair(before, now);
        if (!(l->bits[at / 64] >> (at % 64) & 1))
            return false;
        before = now;
    }
    return true;
}
