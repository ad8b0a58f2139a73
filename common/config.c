#include "common/config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/check.h"
#include "common/duration.h"
#include "common/log.h"

enum { NAME_BYTES_MAX = 64, TEXT_BYTES_MAX = 65536, HELP_BYTES_MAX = 1 << 20, TIME_BYTES_MAX = 64 };

static bool fail(struct config_result *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct config_result *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->error, sizeof(r->error), format, args);
    va_end(args);
    r->exit_code = 2;
    return false;
}

/* ---- values ---- */

struct unit {
    const char *name;
    uint64_t size;
};

static bool parse_unit(struct str text, const struct unit *units, size_t count, uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    struct str unit = str_skip(text, digits);
    for (size_t i = 0; i < count; i++)
        if (unit.len == strlen(units[i].name) &&
            (unit.len == 0 || strncasecmp(unit.at, units[i].name, unit.len) == 0)) {
            uint64_t number;
            if (!str_u64((struct str){text.at, digits}, INT64_MAX / units[i].size, &number))
                return false;
            *out = number * units[i].size;
            return true;
        }
    return false;
}

/* Settings take units in either case. */
static bool length_of_time(struct str text, int64_t *ms)
{
    char lower[TIME_BYTES_MAX];
    if (text.len > sizeof(lower))
        return false;
    for (size_t i = 0; i < text.len; i++)
        lower[i] = (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] | 32 : text.at[i]);
    return duration_parse((struct str){lower, text.len}, ms);
}

bool bytes_parse(struct str text, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},          {"B", 1},       {"K", 1 << 10},   {"KiB", 1 << 10}, {"M", 1 << 20},
        {"MiB", 1 << 20}, {"G", 1 << 30}, {"GiB", 1 << 30}, {"T", 1LL << 40}, {"TiB", 1LL << 40},
    };
    return parse_unit(text, units, sizeof(units) / sizeof(*units), bytes);
}

static bool bool_parse(struct str text, bool *out)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (text.len == strlen(words[i]) && strncasecmp(text.at, words[i], text.len) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    return false;
}

/* How a number is written in the setting's own unit, for messages. */
static const char *number_text(enum setting_type type, int64_t value, char out[32])
{
    static const struct unit bytes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}};
    if (type == SETTING_DURATION)
        return duration_write(value);
    for (size_t i = 0; i < 3 && type == SETTING_BYTES; i++)
        if (value != 0 && value % (int64_t)bytes[i].size == 0) {
            snprintf(out, 32, "%" PRId64 "%s", value / (int64_t)bytes[i].size, bytes[i].name);
            return out;
        }
    snprintf(out, 32, "%" PRId64, value);
    return out;
}

static int64_t max_of(const struct setting *s)
{
    if (s->max > 0)
        return s->max;
    switch (s->type) {
    case SETTING_TEXT:
        return TEXT_BYTES_MAX;
    case SETTING_SECRET:
        return SECRET_MAX;
    case SETTING_U32:
        return UINT32_MAX;
    case SETTING_BYTES:
    case SETTING_DURATION:
    case SETTING_BOOL:
        break;
    }
    return INT64_MAX;
}

static bool length_ok(const struct setting *s, struct str value, struct config_result *r)
{
    int64_t max = max_of(s), len = (int64_t)value.len;
    if (len < s->min && len == 0)
        return fail(r, "%s must be set: %s.", s->name, s->help);
    if (value.len > 0 && memchr(value.at, '\0', value.len) != NULL)
        return fail(r, "%s holds a NUL byte.", s->name);
    if (len < s->min)
        return fail(r, "%s is too short: at least %" PRId64 " bytes.", s->name, s->min);
    if (len > max)
        return fail(r, "%s is too long: at most %" PRId64 " bytes.", s->name, max);
    return true;
}

static bool number_parse(const struct setting *s, struct str value, int64_t *out,
                         struct config_result *r)
{
    bool ok;
    const char *like;
    uint64_t number = 0;
    if (s->type == SETTING_DURATION) {
        ok = length_of_time(value, out);
        like = "a duration like 250ms, 30s, 10m, 2h or 7d";
    } else if (s->type == SETTING_BYTES) {
        ok = bytes_parse(value, &number);
        like = "a number of bytes like 65536, 64K or 16MiB";
    } else {
        ok = str_u64(value, INT64_MAX, &number);
        like = "a number";
    }
    if (!ok)
        return fail(r, "%s is %s, which is not %s.", s->name, log_text(value), like);
    if (s->type != SETTING_DURATION)
        *out = (int64_t)number;
    if (*out >= s->min && *out <= max_of(s))
        return true;
    char min[32], max[32];
    return fail(r, "%s is %s, but must be from %s to %s.", s->name, log_text(value),
                number_text(s->type, s->min, min), number_text(s->type, max_of(s), max));
}

/* Of a module's config it is a const char *, which is another type. */
static void put_text(void *at, char *take_text) { memcpy(at, &take_text, sizeof(take_text)); }

static char *text_at(const void *at)
{
    char *text;
    memcpy(&text, at, sizeof(text));
    return text;
}

/* Checks the value and puts it into the struct. */
static bool store(const struct setting *s, struct str value, void *into, struct config_result *r)
{
    void *at = (char *)into + s->offset;
    int64_t number = 0;
    switch (s->type) {
    case SETTING_TEXT:
        if (!length_ok(s, value, r))
            return false;
        put_text(at, str_dup(value));
        return true;
    case SETTING_SECRET:
        CHECK(max_of(s) <= SECRET_MAX);
        if (!length_ok(s, value, r))
            return false;
        *(struct secret **)at = value.len > 0 ? secret_new(value) : NULL;
        return true;
    case SETTING_BOOL:
        if (!bool_parse(value, at))
            return fail(r, "%s is %s, which is neither true nor false.", s->name, log_text(value));
        return true;
    case SETTING_U32:
    case SETTING_BYTES:
    case SETTING_DURATION:
        if (!number_parse(s, value, &number, r))
            return false;
        if (s->type == SETTING_U32)
            *(uint32_t *)at = (uint32_t)number;
        else if (s->type == SETTING_BYTES)
            *(uint64_t *)at = (uint64_t)number;
        else
            *(int64_t *)at = number;
        return true;
    }
    CHECK(false);
    return false;
}

/* ---- where values come from ---- */

static bool takes_file(const struct setting *s)
{
    return s->type == SETTING_TEXT || s->type == SETTING_SECRET;
}

static void flag_of(const char *name, char flag[NAME_BYTES_MAX])
{
    static const char prefix[] = "PERSAI_";
    size_t skip = strncmp(name, prefix, sizeof(prefix) - 1) == 0 ? sizeof(prefix) - 1 : 0;
    size_t len = strlen(name + skip);
    CHECK(len > 0 && len + 3 <= NAME_BYTES_MAX);
    flag[0] = flag[1] = '-';
    for (size_t i = 0; i <= len; i++) {
        char c = name[skip + i];
        flag[i + 2] = (char)(c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
}

struct source {
    const char *value; /* or NULL */
    const char *path;  /* of the file that holds it, or NULL */
    const char *name;  /* of what gave the path: NAME_FILE or the flag, for messages */
};

static bool store_file(const struct setting *s, const struct source *from, void *into,
                       struct config_result *r)
{
    size_t room = (size_t)max_of(s) + 3; /* a line's end, and one byte to see that it is too long */
    char *bytes = xmalloc(room);
    size_t len = 0;
    int fd = open(from->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t got = fd < 0 ? -1 : 0;
    while (fd >= 0 && len < room && (got = read(fd, bytes + len, room - len)) > 0)
        len += (size_t)got;
    bool ok = got >= 0;
    if (!ok)
        fail(r, "%s: cannot read %s: %s.", from->name, log_text(str_of(from->path)),
             strerror(errno));
    if (fd >= 0)
        close(fd);
    if (ok) {
        if (len > 0 && bytes[len - 1] == '\n')
            len -= len > 1 && bytes[len - 2] == '\r' ? 2 : 1;
        ok = store(s, str_skip_bom((struct str){bytes, len}), into, r);
    }
    secret_wipe(bytes, room);
    free(bytes);
    return ok;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool load_one(const struct setting *s, const struct source *flag, void *into, size_t row,
                     struct config_result *r)
{
    char name_file[NAME_BYTES_MAX + 8];
    struct source from = *flag;
    if (from.value != NULL && from.path != NULL)
        return fail(r, "%s is given twice, as a value and as a file.", s->name);
    if (from.value == NULL && from.path == NULL) {
        snprintf(name_file, sizeof(name_file), "%s_FILE", s->name);
        from.value = environment(s->name);
        from.path = takes_file(s) ? environment(name_file) : NULL;
        from.name = name_file;
        if (from.value != NULL && from.path != NULL)
            return fail(r, "%s and %s are both set: set one of them.", s->name, name_file);
    }
    r->given[row] = from.path != NULL || from.value != NULL;
    r->paths[row] = from.path;
    if (from.path)
        return store_file(s, &from, into, r);
    return store(s, str_of(r->given[row] ? from.value : s->by_default), into, r);
}

/* --help, --help-all and --print-settings. */

static void print(struct buf *b)
{
    CHECK(!b->overflowed);
    fwrite(b->at, 1, b->len, stdout);
    fflush(stdout);
    buf_free(b);
}

/* Of a command as it is listed: how many arguments it takes; the rest is its flag. */
static size_t arguments_of(struct str *command)
{
    size_t count = 0;
    for (; command->len > 0 && command->at[command->len - 1] == '='; command->len--)
        count++;
    return count;
}

static void print_help(const struct config_args *a, bool all)
{
    size_t more = 0;
    struct buf b;
    char flag[NAME_BYTES_MAX];
    buf_init(&b, HELP_BYTES_MAX);
    buf_printf(&b, "%s: %s\n\nUsage: %s [--FLAG VALUE | --FLAG=VALUE]...\n", a->program, a->summary,
               a->program);
    for (size_t i = 0; a->commands != NULL && a->commands[i] != NULL; i++) {
        struct str word = str_of(a->commands[i]);
        size_t takes = arguments_of(&word);
        buf_printf(&b, "       %s %.*s%s%s\n", a->program, (int)word.len, word.at,
                   takes > 0 ? " ARGUMENT" : "", takes > 1 ? " ARGUMENT" : "");
    }
    buf_printf(&b, "       %s --help | --help-all | --version | --print-settings\n\n", a->program);
    buf_puts(&b, "Settings are environment variables or flags; a flag wins.\n"
                 "A variable with _FILE after its name names a file that holds the value.\n");
    for (size_t i = 0; i < a->count; i++) {
        const struct setting *s = &a->table[i];
        if (s->advanced && !all) {
            more++;
            continue;
        }
        flag_of(s->name, flag);
        buf_printf(&b, "\n  %s%s  %s%s\n      %s", s->name,
                   s->type == SETTING_SECRET ? ", or _FILE" : "", flag,
                   s->type == SETTING_SECRET ? "-file" : "", s->help);
        if (s->by_default[0] != '\0')
            buf_printf(&b, " (default %s)", s->by_default);
        buf_putc(&b, '\n');
    }
    if (more > 0)
        buf_printf(&b, "\n%zu more that are seldom set: --help-all.\n", more);
    print(&b);
}

static void put_cell(struct buf *b, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            buf_putc(b, '\\');
        buf_putc(b, *text);
    }
}

static void print_settings(const struct config_args *a)
{
    struct buf b;
    buf_init(&b, HELP_BYTES_MAX);
    buf_puts(&b, "| name | meaning, default |\n|---|---|\n");
    for (size_t i = 0; i < a->count; i++) {
        const struct setting *s = &a->table[i];
        buf_printf(&b, "| `%s` | ", s->name);
        put_cell(&b, s->help);
        if (s->type == SETTING_SECRET)
            buf_printf(&b, "; or %s_FILE names a file with it", s->name);
        buf_puts(&b, s->by_default[0] != '\0' ? ", " : "");
        put_cell(&b, s->by_default);
        buf_puts(&b, " |\n");
    }
    print(&b);
}

/* ---- the command line ---- */

struct word {
    struct str flag;   /* --name */
    const char *value; /* after the =, or NULL */
};

static struct word word_of(const char *arg)
{
    const char *equals = strchr(arg, '=');
    struct word w = {str_of(arg), NULL};
    if (equals) {
        w.flag.len = (size_t)(equals - arg);
        w.value = equals + 1;
    }
    return w;
}

/* The value of the flag argv[*i]: after its = or the next argument; NULL (an error): there is none.
 */
static const char *take_value(const struct word *w, int argc, char **argv, int *i,
                              struct config_result *r)
{
    if (w->value)
        return w->value;
    if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0)
        return argv[++*i];
    fail(r, "%s needs a value.", log_text(w->flag));
    return NULL;
}

/* 1: it was a command, 0: it was none, -1: an error. */
static int take_command(const struct config_args *a, const struct word *w, int argc, char **argv,
                        int *i, struct config_result *r)
{
    for (size_t c = 0; a->commands != NULL && a->commands[c] != NULL; c++) {
        struct str command = str_of(a->commands[c]);
        size_t takes = arguments_of(&command);
        if (!str_eq(w->flag, command))
            continue;
        if (r->command) {
            fail(r, "%.*s: only one command at a time.", (int)command.len, command.at);
            return -1;
        }
        r->command = a->commands[c];
        if (takes > 0)
            r->command_arg = take_value(w, argc, argv, i, r);
        if (takes > 1 && r->command_arg)
            r->command_second = take_value(&(struct word){w->flag, NULL}, argc, argv, i, r);
        if (takes == 0 && w->value != NULL)
            fail(r, "%.*s takes no value.", (int)command.len, command.at);
        return r->error[0] != '\0' ? -1 : 1;
    }
    return 0;
}

/* scheme://user:password@host (RFC 3986, 3.2.1), anywhere in a list of them. */
static bool holds_password(struct str text)
{
    for (size_t i = 0; i + 3 <= text.len; i++) {
        struct str rest = str_skip(text, i), user;
        if (!str_starts(rest, STR("://")))
            continue;
        rest = str_skip(rest, 3);
        for (size_t end = 0; end < rest.len && rest.at[end] != '/' && rest.at[end] != ','; end++) {
            user = (struct str){rest.at, end};
            if (rest.at[end] == '@' && memchr(user.at, ':', user.len))
                return true;
        }
    }
    return false;
}

static bool take_flag(const struct config_args *a, const struct word *w, int argc, char **argv,
                      int *i, struct source *flags, struct config_result *r)
{
    for (size_t s = 0; s < a->count; s++) {
        char flag[NAME_BYTES_MAX];
        struct str rest = w->flag;
        flag_of(a->table[s].name, flag);
        if (!str_starts(rest, str_of(flag)))
            continue;
        rest = str_skip(rest, strlen(flag));
        bool file = takes_file(&a->table[s]) && str_is(rest, "-file");
        if (!file && rest.len > 0)
            continue;
        if (!file && a->table[s].type == SETTING_SECRET)
            return fail(r,
                        "%s: a secret is not given on the command line, where others can read "
                        "it; use %s-file or %s.",
                        flag, flag, a->table[s].name);
        const char *value = take_value(w, argc, argv, i, r);
        if (!file && value && holds_password(str_of(value)))
            return fail(r,
                        "%s: a password is not given on the command line, where others can read "
                        "it; use %s-file or %s.",
                        flag, flag, a->table[s].name);
        if (file) {
            flags[s].path = value;
            flags[s].name = a->table[s].name;
        } else {
            flags[s].value = value;
        }
        return value != NULL;
    }
    return fail(r, "Unknown flag %s; --help lists them.", log_text(w->flag));
}

static bool take_args(const struct config_args *a, int argc, char **argv, struct source *flags,
                      struct config_result *r)
{
    for (int i = 1; i < argc; i++) {
        struct word w = word_of(argv[i]);
        if (!str_starts(w.flag, STR("--")))
            return fail(r, "Unexpected argument %s; --help lists the flags.", log_text(w.flag));
        if (str_is(w.flag, "--help") || str_is(w.flag, "--help-all")) {
            print_help(a, str_is(w.flag, "--help-all"));
            return false;
        }
        if (str_is(w.flag, "--version")) {
            printf("%s %s\n", a->program, PERSAI_VERSION);
            fflush(stdout);
            return false;
        }
        if (str_is(w.flag, "--print-settings")) {
            print_settings(a);
            return false;
        }
        int command = take_command(a, &w, argc, argv, &i, r);
        if (command < 0 || (command == 0 && !take_flag(a, &w, argc, argv, &i, flags, r)))
            return false;
    }
    return true;
}

bool config_load(const struct config_args *args, int argc, char **argv, void *into,
                 struct config_result *result)
{
    struct source *flags = xcalloc(args->count, sizeof(*flags));
    *result = (struct config_result){0};
    CHECK(args->count <= CONFIG_SETTINGS_MAX);
    bool ok = take_args(args, argc, argv, flags, result);
    for (size_t i = 0; ok && i < args->count; i++)
        ok = load_one(&args->table[i], &flags[i], into, i, result);
    if (!ok)
        config_free(args->table, args->count, into);
    free(flags);
    return ok;
}

static size_t row_of(const struct config_args *args, const char *name)
{
    size_t i = 0;
    while (i < args->count && strcmp(args->table[i].name, name) != 0)
        i++;
    CHECK(i < args->count);
    return i;
}

bool config_given(const struct config_args *args, const struct config_result *r, const char *name)
{
    return r->given[row_of(args, name)];
}

bool config_secret_anew(const struct config_args *args, const struct config_result *r,
                        const char *name, struct secret *now, struct secret **out, char error[320])
{
    size_t row = row_of(args, name);
    struct source from = {.path = r->paths[row], .name = name};
    struct setting alone = args->table[row];
    struct config_result result = {0};
    CHECK(alone.type == SETTING_SECRET);
    *out = NULL;
    struct stat file;
    bool once = from.path && stat(from.path, &file) == 0 && !S_ISREG(file.st_mode); /* a pipe */
    if (!from.path || once) {
        *out = secret_ref(now);
        return true;
    }
    alone.offset = 0; /* into *out */
    bool ok = store_file(&alone, &from, out, &result);
    if (ok && now && !*out)
        ok = fail(&result, "%s: its file %s is empty.", name, log_text(str_of(from.path)));
    if (!ok)
        snprintf(error, 320, "%.319s", result.error);
    return ok;
}

static void swap(struct secret **a, struct secret **b)
{
    struct secret *kept = *a;
    *a = *b;
    *b = kept;
}

bool config_secrets_anew(const struct config_args *args, const struct config_result *r,
                         const char *const names[], struct secret **const secrets[],
                         struct secret *before[], size_t count, char error[320])
{
    size_t read = 0;
    while (read < count &&
           config_secret_anew(args, r, names[read], *secrets[read], &before[read], error))
        read++;
    for (size_t i = 0; read < count && i < read; i++)
        secret_free(before[i]);
    for (size_t i = 0; read == count && i < count; i++)
        swap(secrets[i], &before[i]);
    return read == count;
}

void config_secrets_settle(struct secret **const secrets[], struct secret *before[], size_t count,
                           bool take)
{
    for (size_t i = 0; i < count; i++) {
        if (!take)
            swap(secrets[i], &before[i]);
        secret_free(before[i]);
    }
}

void config_free(const struct setting *table, size_t count, void *settings)
{
    for (size_t i = 0; i < count; i++) {
        void *at = (char *)settings + table[i].offset;
        if (table[i].type == SETTING_TEXT) {
            free(text_at(at));
            put_text(at, NULL);
        } else if (table[i].type == SETTING_SECRET) {
            secret_free(*(struct secret **)at);
            *(struct secret **)at = NULL;
        }
    }
}
