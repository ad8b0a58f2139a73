/* proto/switches.h: what an operator has switched off, with the sentence that people see: all
 * turns, a door, a model or a tool. Pure.
 *
 * A switch is named "turns", "door:WORD", "model:NAME" or "tool:NAME". What is not named is on. A
 * file of switches is a JSON object: {"tool:save_panel": "We are moving dashboards this week."} */
#ifndef PROTO_SWITCHES_H
#define PROTO_SWITCHES_H

#include <stdint.h>
#include "common/buf.h"

enum {
    SWITCHES_MAX = 200,        /* of the file, and of the store: each is looked through */
    SWITCH_NAME_MAX = 300,     /* bytes: a model's name is 256 at most */
    SWITCH_SENTENCE_MAX = 500, /* bytes: it stands where an error does */
};
/* The ways in: each is switched by its word, and a key is for some of them. */
#define DOORS(X)                                                                                   \
    X(API, "api")         /* the routes of this gateway's own API */                               \
    X(OPENAI, "openai")   /* /v1/… */                                                            \
    X(MCP, "mcp")         /* /mcp */                                                               \
    X(AGUI, "agui")       /* /agui */                                                              \
    X(WEBHOOK, "webhook") /* /webhook/alertmanager, instead of PERSAI_WEBHOOK_TOKEN */
struct switch_off {
    char *name, *sentence;
    char *by; /* who did it; "" where a file says so */
    int64_t at_ms;
};
struct switches { /* zeroed: all is on */
    struct switch_off *at;
    unsigned count;
};

bool switch_name_ok(struct str name);
bool switch_sentence_ok(struct str sentence);
/* Copies. False: there are SWITCHES_MAX, or it is none. */
bool switches_add(struct switches *s, struct str name, struct str sentence, struct str by,
                  int64_t at_ms);
/* What is off at this moment, by whom. */
struct switched {
    struct switches of_file, of_store;
};
/* kind: "turns" (name empty), "door", "model" or "tool". What people are told; NULL: it is on. The
 * file's word comes first. s NULL: nothing is off. */
const char *switched_off(const struct switched *s, const char *kind, struct str name);
/* Is any of that kind off? */
bool switched_any(const struct switched *s, const char *kind);

bool switches_same(const struct switches *a, const struct switches *b);
void switches_free(struct switches *s);
/* False: out is empty, and error says in which line what is wrong. */
bool switches_read(struct str json, struct switches *out, char error[256]) warn_unused;
bool switches_read_file(const char *path, struct switches *out, char error[256]) warn_unused;

#endif
