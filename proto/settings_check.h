/* proto/settings_check.h: values of settings that can't be meant, and variables that nobody reads.
 * Both programs look before they open anything. */
#ifndef PROTO_SETTINGS_CHECK_H
#define PROTO_SETTINGS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SETTINGS_WHY_MAX = 256 };

/* http:// or https:// and a host, with or without a port from 1 to 65535 and what may be a user
 * before them; no blanks, no fragment, shorter than 1 KiB (RFC 3986 section 3.2). */
bool settings_url_ok(const char *url);

/* Each is true, or false and a sentence that begins with the setting's name. An empty text is
 * unset: true. Of an address: paths are put behind it, so it has no query. */
bool settings_url(const char *name, const char *url, char why[SETTINGS_WHY_MAX]);
/* As common/redis/url.h has it. */
bool settings_redis(const char *name, const char *url, char why[SETTINGS_WHY_MAX]);
/* Where to listen: address:port. */
bool settings_listen(const char *name, const char *text, char why[SETTINGS_WHY_MAX]);
/* A list of addresses and networks. */
bool settings_networks(const char *name, const char *list, char why[SETTINGS_WHY_MAX]);
/* A list of origins as browsers send them (RFC 6454, 6.2): scheme://host[:port], nothing behind. */
bool settings_origins(const char *name, const char *list, char why[SETTINGS_WHY_MAX]);
/* A list of paths of datasources behind Perses's proxy. */
bool settings_proxy_paths(const char *name, const char *list, char why[SETTINGS_WHY_MAX]);
/* OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES. */
struct secret;
bool settings_pairs(const struct secret *headers, const char *attributes,
                    char why[SETTINGS_WHY_MAX]);
bool settings_folder(const char *name, const char *path, char why[SETTINGS_WHY_MAX]);
/* Two beats must fit into the silence that counts as death: one may be lost or late. */
bool settings_beats(int64_t beat_ms, int64_t dead_ms, char why[SETTINGS_WHY_MAX]);

/* where: an http(s) address, PERSAI_REDIS, or address:port to listen on. False: what goes that way
 * crosses a network in the clear, whosever network it is; why says so, without a password. What
 * stays on this machine (loopback, a socket) does not, nor does https; nonsense is true, others
 * refuse it. */
bool settings_private(const char *name, const char *where, char why[SETTINGS_WHY_MAX]);
/* The same of several, {name, where}, ended by {NULL}: each that is not private is told to the
 * report, without one to the log. An unset where is private. */
struct report;
void settings_warn_clear(const char *const (*settings)[2], struct report *report);

/* Is name a variable that a part of PersAI reads: a program's setting, with or without _FILE, or
 * one of the compose setup's and the tests'? Of others than PERSAI_… only those are unknown by
 * which somebody meant one of ours: misspelt, or as other programs call it. Unnoticed the key and
 * the questions would go to the vendor, or nowhere. If not, *nearest is the known name that looks
 * most like it (static), or NULL when none does. */
bool settings_known(const char *name, const char **nearest);
/* Logs a warning for each variable of the environment that settings_known() does not know; of keys
 * of models only where none is given otherwise: PERSAI_MODELS may name any variable. */
void settings_warn_unknown(void);
/* The one of names (NULL-terminated) that word was meant to be; NULL: it is like none. */
const char *settings_nearest(const char *word, const char *const *names);

#endif
