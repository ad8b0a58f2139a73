/* common/config.h: a table of settings → a struct, from defaults, environment and flags; --help;
 * the table of settings in a README.
 *
 * A setting NAME has a flag: PERSAI_TOKEN_WAIT → --token-wait, OPENAI_API_KEY → --openai-api-key (a
 * secret has no flag with a value: command lines are public; it has NAME_FILE and
 * --openai-api-key-file, and so have texts). Flags win over environment. An empty environment
 * variable counts as unset. NAME_FILE reads the value from a file, without a byte order
 * mark and one trailing newline. */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/secret.h"

enum setting_type {
    SETTING_TEXT,     /* char *, owned by the struct; never NULL, unset is "" */
    SETTING_SECRET,   /* struct secret * or NULL */
    SETTING_U32,      /* uint32_t with min and max */
    SETTING_BYTES,    /* uint64_t; accepts 64K, 16MiB, 1G */
    SETTING_DURATION, /* int64_t milliseconds; accepts 250ms, 30s, 10m, 2h, 7d */
    SETTING_BOOL,     /* bool; true/false/1/0/yes/no/on/off */
};
struct setting {
    const char *name; /* environment variable */
    enum setting_type type;
    size_t offset;          /* into the settings struct */
    const char *by_default; /* as it would be written in the environment; "" is unset */
    /* Of numbers, durations (ms) and bytes; of texts and secrets the length. A text or secret with
     * a min must be set. max 0: what the type holds (64 KiB of text). */
    int64_t min, max;
    const char *help; /* one line */
    bool advanced;    /* shown by --help-all only */
};

/* A row of a table: where in `struct into` its value goes, which must have the type of its kind. */
#define SETTING_ROW(into, place, name, kind, by_default, min, max, help, advanced)                 \
    {name,                                                                                         \
     SETTING_##kind,                                                                               \
     offsetof(struct into, place) +                                                                \
         0 * sizeof(char[SETTING_FITS_##kind(((struct into *)0)->place) ? 1 : -1]),                \
     by_default,                                                                                   \
     min,                                                                                          \
     max,                                                                                          \
     help,                                                                                         \
     advanced},
#define SETTING_FITS_TEXT(at) _Generic((at), char * : 1, const char * : 1, default : 0)
#define SETTING_FITS_SECRET(at) _Generic((at), struct secret * : 1, default : 0)
#define SETTING_FITS_U32(at) _Generic((at), uint32_t : 1, default : 0)
#define SETTING_FITS_BYTES(at) _Generic((at), uint64_t : 1, default : 0)
#define SETTING_FITS_DURATION(at) _Generic((at), int64_t : 1, default : 0)
#define SETTING_FITS_BOOL(at) _Generic((at), bool : 1, default : 0)
/* A field that a row makes. */
#define SETTING_FIELD(place, kind) SETTING_FIELD_##kind(place)
#define SETTING_FIELD_TEXT(place) char *place;
#define SETTING_FIELD_SECRET(place) struct secret *place;
#define SETTING_FIELD_U32(place) uint32_t place;
#define SETTING_FIELD_BYTES(place) uint64_t place;
#define SETTING_FIELD_DURATION(place) int64_t place;
#define SETTING_FIELD_BOOL(place) bool place;

/* Fills *into (zeroed by the caller; emptied again on failure). False: exit_code is 2 and error
 * says what was wrong with which setting, in one sentence. Handles --help, --help-all, --version
 * (prints, *exit_code = 0, returns false with empty error) and --print-settings (Markdown). args:
 * flags this table does not know are refused; `commands` lists words like "--check" that are kept:
 * *command is set to its entry there (or NULL) and *command_arg to its next argument when it takes
 * one ("--make-keys DIR": listed as "--make-keys="), and *command_second to the one behind it when
 * it takes two (listed with "=="). */
struct config_args {
    const char *program, *summary;
    const struct setting *table;
    size_t count;
    const char *const *commands; /* NULL-terminated, or NULL */
};
enum { CONFIG_SETTINGS_MAX = 128 };
struct config_result {
    bool given[CONFIG_SETTINGS_MAX]; /* by row of the table: set by somebody, not the default */
    /* The file that the value was read from, of argv or the environment; NULL: none. */
    const char *paths[CONFIG_SETTINGS_MAX];
    int exit_code;
    const char *command, *command_arg, *command_second;
    char error[512];
};
bool config_load(const struct config_args *args, int argc, char **argv, void *into,
                 struct config_result *result);
/* Was the setting of this name given? It is one of the table. */
bool config_given(const struct config_args *args, const struct config_result *r, const char *name);
/* A secret of the table anew: from its file, should it be from one, else as it is now; so is one
 * that a pipe had. False: error says why (it can't be read, or is empty and was not); *out is
 * NULL. */
bool config_secret_anew(const struct config_args *args, const struct config_result *r,
                        const char *name, struct secret *now, struct secret **out, char error[320]);
/* Several of them, all or none: the new ones are put into *secrets[i], the former ones into
 * before[i], until config_secrets_settle. False: nothing was changed, and there is nothing to
 * settle. */
bool config_secrets_anew(const struct config_args *args, const struct config_result *r,
                         const char *const names[], struct secret **const secrets[],
                         struct secret *before[], size_t count, char error[320]);
/* take: the new ones stay; else the former ones come back. The others are freed. */
void config_secrets_settle(struct secret **const secrets[], struct secret *before[], size_t count,
                           bool take);
void config_free(const struct setting *table, size_t count, void *settings);
bool bytes_parse(struct str text, uint64_t *bytes);

#endif
