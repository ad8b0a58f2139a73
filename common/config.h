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
};

/* Fills *into (zeroed by the caller; emptied again on failure). False: exit_code is 2 and error
 * says what was wrong with which setting, in one sentence. Handles --help, --version (prints,
 * *exit_code = 0, returns false with empty error) and
 * --print-settings (Markdown). args: flags this table does not know are refused; `commands` lists
 * words like "--check" that are kept: *command is set to its entry there (or NULL) and *command_arg
 * to its next argument when it takes one ("--make-keys DIR": listed as "--make-keys="), and
 * *command_second to the one behind it when it takes two (listed with "=="). */
struct config_args {
    const char *program, *summary;
    const struct setting *table;
    size_t count;
    const char *const *commands; /* NULL-terminated, or NULL */
};
enum { CONFIG_SETTINGS_MAX = 128 };
struct config_result {
    bool given[CONFIG_SETTINGS_MAX]; /* by row of the table: set by somebody, not the default */
    int exit_code;
    const char *command, *command_arg, *command_second;
    char error[512];
};
bool config_load(const struct config_args *args, int argc, char **argv, void *into,
                 struct config_result *result);
/* Was the setting of this name given? It is one of the table. */
bool config_given(const struct config_args *args, const struct config_result *r, const char *name);
void config_free(const struct setting *table, size_t count, void *settings);
bool duration_parse(struct str text, int64_t *ms);
bool bytes_parse(struct str text, uint64_t *bytes);

#endif
