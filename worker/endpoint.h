/* worker/endpoint.h: how a server is reached that an operator names in a JSON file (PERSAI_MODELS,
 * PERSAI_MCP): its address, its key, more headers. Pure, but for the key's file. */
#ifndef WORKER_ENDPOINT_H
#define WORKER_ENDPOINT_H

#include <jansson.h>
#include <stdbool.h>
#include "common/secret.h"

bool endpoint_url_ok(const char *url); /* http:// or https://, a host, no blanks, no fragment */
enum { ENDPOINT_HOST_MAX = 280 };
/* The host and port of an endpoint_url_ok URL: behind what may be a user and a password. */
void endpoint_host(const char *url, char out[ENDPOINT_HOST_MAX]);
/* A header's name and value as RFC 9110 has them; the ones that are ours are not given away. */
bool endpoint_header_ok(const char *name, const char *value);
/* A member that is a text and not empty; else NULL. */
const char *endpoint_text(const json_t *object, const char *key);
/* All its members are among names (NULL-terminated). False and a sentence, with the name that was
 * meant: a word that is misspelt would be as good as absent, and what is absent has a default (a
 * vendor's own address). No object, or NULL: true. */
bool endpoint_known(const json_t *object, const char *const *names, char reason[160]);
/* Those of names that are there are texts, and not empty: else they would be as good as absent. */
bool endpoint_texts(const json_t *object, const char *const *names, char reason[160]);
/* The JSON list in a file, which setting names. NULL and a sentence that begins with setting. */
json_t *endpoint_list(const char *setting, const char *path, char error[256]);
/* The line of such a file on which an item of the list begins (from 0), or the first after it that
 * has what the reason puts in quotes. 0: the file cannot be read any more. */
unsigned endpoint_line(const char *path, size_t item, const char *reason);
/* "key_env" or "key_file" of an object. Without either: true, NULL. False and a sentence. */
bool endpoint_key(const json_t *object, struct secret **key, char reason[160]);

#endif
