/* worker/llm/jsonio.h: the pieces of JSON that the providers' formats (chat.c, messages.c …)
 * share: values read from a provider, which may be anything, and fields written into a request. */
#ifndef WORKER_LLM_JSONIO_H
#define WORKER_LLM_JSONIO_H

#include <jansson.h>
#include "common/buf.h"
#include "worker/llm/model.h"
#include "worker/llm/reply.h"

/* Of tokens, also as text or with a fraction; 0 when it is none. */
uint64_t jsonio_count(const json_t *v);
json_t *jsonio_parse(struct str text); /* NULL: no JSON. The caller's */
/* An event or a body that a provider sent: halves of characters are no fault of it (ragged.h). */
json_t *jsonio_read(struct reply *r, struct str text);
/* A member's number, also where it is written as text; -1: there is none. */
int64_t jsonio_index(const json_t *v);
/* A member by its name in camelCase, else by the same in snake_case: a protocol buffer's JSON may
 * have either, and what stands before Google's servers hands on both. */
json_t *jsonio_either(const json_t *v, const char *camel);
/* A value as text: a string's own, JSON of anything else, NULL of nothing. To be freed. */
char *jsonio_dump(const json_t *v);

/* A tool call's arguments as an object: what is none would be refused for the rest of the
 * conversation, so {} stands for it. */
void jsonio_arguments(struct buf *b, struct str arguments);
/* The members of take_fields with the model's options merged over them (null takes a field out,
 * objects merge), each as ,"key":value. reserved (NULL-terminated): what options must not touch. */
void jsonio_options(struct buf *b, json_t *take_fields, const struct model *m,
                    const char *const *reserved);

/* A provider's error object: {"type" | "code" | "status", "message"}, or a text. */
enum err jsonio_error(struct reply *r, int http_status, const json_t *error);
/* An event of a stream that is an error: it says so in a member, its type or its name. Its fields
 * lie open, or in an object of their own. */
bool jsonio_is_error(const json_t *root, struct str name);
enum err jsonio_event_error(struct reply *r, const json_t *root);
/* An event that is none of the format's own may tell an error all the same: a message, or one of
 * AWS's exceptions. */
bool jsonio_is_odd_error(const json_t *root);
enum err jsonio_odd_error(struct reply *r, const json_t *root);
/* A body that is neither a stream nor a whole reply: an error object, something else that tells a
 * message, plain text, or a page for a browser. root: the body as JSON, or NULL. */
enum err jsonio_refusal(struct reply *r, int http_status, const json_t *root, struct str body);

#endif
