#include "gateway/cli/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ON(name) (1u << COMMAND_##name)
#define ON_ALL ((1u << COMMAND_COUNT) - 1)

static const struct {
    const char *name, *arguments;
    unsigned least, most;
    const char *help;
} commands[] = {
#define COMMAND(name, arguments, least, most, help) {#name, arguments, least, most, help},
#define OPTION(field, flag, letter, value, commands, help)
#include "gateway/cli/commands.def"
#undef COMMAND
#undef OPTION
};
static const struct {
    const char *flag;
    char letter;
    const char *value;
    unsigned commands;
    const char *help;
    size_t offset;
} options[] = {
#define COMMAND(name, arguments, least, most, help)
#define OPTION(field, flag, letter, value, commands, help)                                         \
    {flag, letter, value, commands, help, offsetof(struct usage, field)},
#include "gateway/cli/commands.def"
#undef COMMAND
#undef OPTION
};
enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

/* What a script can rely on. */
static const struct {
    int code;
    const char *means;
} exits[] = {{0, "the question was answered"},
             {1, "an error; stderr says which"},
             {2, "the command line is wrong"},
             {3, "not signed in: persai login"},
             {4, "the question was cancelled"},
             {5, "a tool call waits for a decision: persai approve SESSION"}};
enum { EXIT_COUNT = sizeof(exits) / sizeof(exits[0]) };

/* What tells of the program instead of running a command. */
static const struct {
    const char *flag, *help;
} telling[] = {
    {"-h, --help", "This, or behind a command what it is and takes."},
    {"--version", "Which version this is."},
    {"--print-man", "The man page, for man -l -."},
    {"--print-completion=SHELL", "The completions of bash, zsh or fish, for its source command."}};
enum { TELLING_COUNT = sizeof(telling) / sizeof(telling[0]) };

static const char SUMMARY[] = "ask PersAI, the assistant of Perses, from a terminal";

struct parse {
    int argc, at;
    char **argv;
    struct usage *u;
    struct buf *out;
    bool has_command, only_arguments;
    unsigned given; /* options, by row */
};

static enum usage_verdict parse_one(struct parse *p, const char *word);
static enum usage_verdict parse_option(struct parse *p, const char *word);
static enum usage_verdict print(struct parse *p, const char *word);
static enum usage_verdict help(struct parse *p);
static bool set_option(struct parse *p, unsigned row, const char *value);
static enum usage_verdict check(struct parse *p);
static void print_help(struct buf *b);
static void print_help_of(struct buf *b, enum command command);
static void print_man(struct buf *b);
static void print_bash(struct buf *b);
static void print_zsh(struct buf *b);
static void print_fish(struct buf *b);
static void fish_option(struct buf *b, unsigned row);

/* ---- parsing ---- */

enum usage_verdict usage_parse(int argc, char **argv, struct usage *u, struct buf *out)
{
    struct parse p = {.argc = argc, .at = 1, .argv = argv, .u = u, .out = out};
    *u = (struct usage){0};
    while (p.at < argc) {
        enum usage_verdict verdict = parse_one(&p, argv[p.at++]);
        if (verdict != USAGE_RUN)
            return verdict;
    }
    return check(&p);
}

static enum usage_verdict parse_one(struct parse *p, const char *word)
{
    struct usage *u = p->u;
    if (!p->only_arguments && strcmp(word, "--") == 0) {
        p->only_arguments = true;
        return USAGE_RUN;
    }
    if (!p->only_arguments && word[0] == '-' && word[1])
        return parse_option(p, word);
    if (!p->has_command) {
        for (unsigned i = 0; i < COMMAND_COUNT; i++)
            if (strcmp(word, commands[i].name) == 0) {
                u->command = (enum command)i;
                p->has_command = true;
                return USAGE_RUN;
            }
        if (strcmp(word, "help") == 0)
            return help(p);
        buf_printf(p->out, "there is no command %s; see persai --help", word);
        return USAGE_WRONG;
    }
    if (u->count == ARGUMENTS_MAX) {
        buf_printf(p->out, "more than %d words: put the question into quotes", ARGUMENTS_MAX);
        return USAGE_WRONG;
    }
    u->arguments[u->count++] = word;
    return USAGE_RUN;
}

/* --flag VALUE, --flag=VALUE, -f VALUE, -fVALUE; switches of one letter may stand together. */
static enum usage_verdict parse_option(struct parse *p, const char *word)
{
    bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    size_t len = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    enum usage_verdict printed = print(p, word);
    if (printed != USAGE_RUN)
        return printed;
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        bool named = is_long && strlen(options[i].flag) == len &&
                     strncmp(word + 2, options[i].flag, len) == 0;
        bool takes = options[i].value[0];
        if (!named && (is_long || options[i].letter == 0 || word[1] != options[i].letter))
            continue;
        if (!takes && equals)
            break;
        const char *value = "";
        if (takes)
            value = equals                ? equals + 1
                    : !is_long && word[2] ? word + 2
                    : p->at < p->argc     ? p->argv[p->at++]
                                          : NULL;
        if (!set_option(p, i, value))
            return USAGE_WRONG;
        if (!takes && !is_long && word[2]) {
            char rest[64];
            snprintf(rest, sizeof(rest), "-%s", word + 2);
            return parse_option(p, rest);
        }
        return USAGE_RUN;
    }
    buf_printf(p->out, "there is no option %s; see persai --help", word);
    return USAGE_WRONG;
}

static bool set_option(struct parse *p, unsigned row, const char *value)
{
    if (!value || (options[row].value[0] && !*value)) {
        buf_printf(p->out, "--%s needs a value", options[row].flag);
        return false;
    }
    p->given |= 1u << row;
    memcpy((char *)p->u + options[row].offset, &value, sizeof(value));
    return true;
}

static enum usage_verdict print(struct parse *p, const char *word)
{
    static const struct {
        const char *flag;
        void (*print)(struct buf *);
    } prints[] = {{"--print-man", print_man},
                  {"--print-completion=bash", print_bash},
                  {"--print-completion=zsh", print_zsh},
                  {"--print-completion=fish", print_fish}};
    if (strcmp(word, "--version") == 0) {
        buf_puts(p->out, "persai " PERSAI_VERSION "\n");
        return USAGE_PRINT;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        if (p->has_command)
            print_help_of(p->out, p->u->command);
        else
            print_help(p->out);
        return USAGE_PRINT;
    }
    for (size_t i = 0; i < sizeof(prints) / sizeof(prints[0]); i++)
        if (strcmp(word, prints[i].flag) == 0) {
            prints[i].print(p->out);
            return USAGE_PRINT;
        }
    return USAGE_RUN;
}

/* `help` and `help COMMAND`: what is typed first where --help is not known. */
static enum usage_verdict help(struct parse *p)
{
    enum usage_verdict verdict = p->at < p->argc ? parse_one(p, p->argv[p->at++]) : USAGE_RUN;
    return verdict == USAGE_RUN ? print(p, "--help") : verdict;
}

static enum usage_verdict check(struct parse *p)
{
    const struct usage *u = p->u;
    if (!p->has_command) {
        buf_puts(p->out, "which command? See persai --help");
        return USAGE_WRONG;
    }
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if ((p->given >> i & 1) && !(options[i].commands >> u->command & 1)) {
            buf_printf(p->out, "%s has no option --%s", commands[u->command].name, options[i].flag);
            return USAGE_WRONG;
        }
    if (u->count < commands[u->command].least || u->count > commands[u->command].most) {
        buf_printf(p->out, "usage: persai %s%s%s", commands[u->command].name,
                   commands[u->command].most > 0 ? " " : "", commands[u->command].arguments);
        return USAGE_WRONG;
    }
    if ((u->yes && u->refuse) || (u->session && u->go_on)) {
        buf_printf(p->out, "%s exclude each other",
                   u->yes ? "--yes and --refuse" : "--session and --continue");
        return USAGE_WRONG;
    }
    return USAGE_RUN;
}

/* ---- help ---- */

static void option_head(struct buf *b, unsigned row)
{
    if (options[row].letter)
        buf_printf(b, "-%c, ", options[row].letter);
    buf_printf(b, "--%s%s%s", options[row].flag, options[row].value[0] ? " " : "",
               options[row].value);
}

/* Words from this column on, wrapped before the 80th; the first line is there already. */
static void wrapped(struct buf *b, const char *text, unsigned indent)
{
    enum { WIDTH = 80 };
    unsigned column = indent;
    struct str rest = str_of(text);
    for (struct str word; str_split(&rest, ' ', &word);) {
        bool first = column == indent;
        if (!first && column + 1 + word.len > WIDTH) {
            buf_printf(b, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        if (!first)
            buf_putc(b, ' ');
        buf_add_str(b, word);
        column += (unsigned)word.len + (first ? 0 : 1);
    }
    buf_putc(b, '\n');
}

/* A head in its column, then text, wrapped beside it. */
static void entry(struct buf *b, const char *head, const char *text)
{
    enum { COLUMN = 26 };
    if (strlen(head) > COLUMN - 4)
        buf_printf(b, "  %s\n%*s", head, COLUMN, "");
    else
        buf_printf(b, "  %-*s", COLUMN - 2, head);
    wrapped(b, text, COLUMN);
}

static void option_entries(struct buf *b, unsigned mask, bool exactly)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        scoped_buf(head, 128);
        if (exactly ? options[i].commands != mask : !(options[i].commands & mask))
            continue;
        option_head(&head, i);
        entry(b, buf_cstr(&head), options[i].help);
    }
}

static void print_help(struct buf *b)
{
    buf_printf(b, "persai: %s\n\nusage: persai COMMAND [OPTIONS] [ARGUMENTS]\n\n", SUMMARY);
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        scoped_buf(head, 128);
        buf_printf(&head, "%s %s", commands[i].name, commands[i].arguments);
        entry(b, buf_cstr(&head), commands[i].help);
    }
    buf_puts(b, "\nOptions of all commands (persai COMMAND --help lists a command's own):\n");
    option_entries(b, ON_ALL, true);
    for (unsigned i = 0; i < TELLING_COUNT; i++)
        entry(b, telling[i].flag, telling[i].help);
    buf_puts(b, "\nIt ends with\n");
    for (unsigned i = 0; i < EXIT_COUNT; i++) {
        char code[8];
        snprintf(code, sizeof(code), "%d", exits[i].code);
        entry(b, code, exits[i].means);
    }
}

static void print_help_of(struct buf *b, enum command command)
{
    const char *arguments = commands[command].arguments;
    buf_printf(b, "usage: persai %s [OPTIONS]%s%s\n\n", commands[command].name,
               *arguments ? " " : "", arguments);
    wrapped(b, commands[command].help, 0);
    buf_putc(b, '\n');
    option_entries(b, 1u << command, false);
}

/* ---- man page (man(7)) ---- */

static void man_text(struct buf *b, const char *text)
{
    if (*text == '.' || *text == '\'')
        buf_puts(b, "\\&");
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            buf_putc(b, '\\');
        buf_putc(b, *text);
    }
}

static void man_entry(struct buf *b, const char *head, const char *text)
{
    buf_puts(b, ".TP\n.B ");
    man_text(b, head);
    buf_putc(b, '\n');
    man_text(b, text);
    buf_putc(b, '\n');
}

static void man_option(struct buf *b, unsigned row)
{
    scoped_buf(head, 128);
    option_head(&head, row);
    man_entry(b, buf_cstr(&head), options[row].help);
}

static void print_man(struct buf *b)
{
    buf_printf(b,
               ".TH PERSAI 1 \"\" \"persai " PERSAI_VERSION "\"\n.ad l\n"
               ".SH NAME\npersai \\- %s\n",
               SUMMARY);
    buf_puts(b, ".SH SYNOPSIS\n.B persai\n.I COMMAND\n[OPTIONS] [ARGUMENTS]\n.SH COMMANDS\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(b, ".SS %s %s\n", commands[i].name, commands[i].arguments);
        man_text(b, commands[i].help);
        buf_putc(b, '\n');
        for (unsigned k = 0; k < OPTION_COUNT; k++)
            if (options[k].commands != ON_ALL && options[k].commands >> i & 1)
                man_option(b, k);
    }
    buf_puts(b, ".SH OPTIONS OF ALL COMMANDS\n");
    for (unsigned k = 0; k < OPTION_COUNT; k++)
        if (options[k].commands == ON_ALL)
            man_option(b, k);
    for (unsigned k = 0; k < TELLING_COUNT; k++)
        man_entry(b, telling[k].flag, telling[k].help);
    buf_puts(b, ".SH EXIT STATUS\n");
    for (unsigned i = 0; i < EXIT_COUNT; i++)
        buf_printf(b, ".TP\n.B %d\n%s\n", exits[i].code, exits[i].means);
    buf_puts(b,
             ".SH ENVIRONMENT\n.TP\n.B PERSAI_URL, PERSAI_GATEWAY, PERSAI_CONTEXT\nas the options "
             "of these names\n.TP\n.B PERSAI_API_KEY\na key for programs; with PERSAI_GATEWAY, "
             "instead of a sign\\-in\n.TP\n.B NO_COLOR\nno colours\n.SH FILES\n.TP\n.I "
             "$XDG_CONFIG_HOME/persai/contexts.json\nthe sign\\-ins, refresh tokens included; only "
             "its owner may read it\n");
}

/* ---- completions ---- */

/* What an option's value can be, where its row names all of it: "md|json". */
static bool has_choices(unsigned row) { return strchr(options[row].value, '|'); }

static void put_choices(struct buf *b, unsigned row)
{
    for (const char *at = options[row].value; *at; at++)
        buf_putc(b, *at == '|' ? ' ' : *at);
}

static void put_commands(struct buf *b, char between)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        buf_printf(b, "%s%c", commands[i].name, between);
}

/* Those that take a value, as the patterns of a case. */
static void put_valued(struct buf *b, char between)
{
    bool first = true;
    for (unsigned k = 0; k < OPTION_COUNT; k++) {
        if (!options[k].value[0])
            continue;
        if (!first)
            buf_putc(b, between);
        buf_printf(b, "--%s", options[k].flag);
        if (options[k].letter)
            buf_printf(b, "%c-%c", between, options[k].letter);
        first = false;
    }
}

static void bash_options(struct buf *b, unsigned mask, bool exactly)
{
    for (unsigned k = 0; k < OPTION_COUNT; k++)
        if (exactly ? options[k].commands == mask : options[k].commands & mask)
            buf_printf(b, "--%s ", options[k].flag);
}

/* The command is the first word that is neither an option nor one's value. Words are what blanks
 * part: bash's own are parted at = and : as well. */
static void print_bash(struct buf *b)
{
    buf_puts(b, "# bash completion of persai; made from its table of commands\n_persai() {\n"
                "    local line=${COMP_LINE:0:COMP_POINT} before command= words= i\n"
                "    local word=${line##* } option\n"
                "    read -ra before <<<\"${line% *}\"\n"
                "    for ((i = 1; i < ${#before[@]}; i++)); do\n"
                "        case ${before[i]} in\n        ");
    put_valued(b, '|');
    buf_puts(b, ") ((i += 1)) ;;\n        -*|help) ;;\n"
                "        *) command=${before[i]}; break ;;\n        esac\n    done\n"
                "    option=${before[-1]}\n"
                "    if [[ $word == --*=* ]]; then option=${word%%=*} word=${word#*=}; fi\n"
                "    case $option in\n");
    for (unsigned k = 0; k < OPTION_COUNT; k++) {
        if (!has_choices(k))
            continue;
        buf_printf(b, "    --%s) words='", options[k].flag);
        put_choices(b, k);
        buf_puts(b, "' ;;\n");
    }
    buf_puts(b, "    ");
    put_valued(b, '|');
    buf_puts(b, ") ;;\n    *) case $command in\n        '') words='");
    put_commands(b, ' ');
    bash_options(b, ON_ALL, true);
    buf_puts(b, "--help --version' ;;\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(b, "        %s) words='", commands[i].name);
        bash_options(b, 1u << i, false);
        buf_puts(b, "--help' ;;\n");
    }
    buf_puts(b, "        esac ;;\n    esac\n"
                "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\n"
                "complete -F _persai persai\n");
}

/* In '…' of a shell: an apostrophe ends it; in zsh's list also [, ] and : have a meaning. */
static void shell_text(struct buf *b, const char *text, bool zsh)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_puts(b, zsh ? "'\\''" : "\\'");
        else if (zsh && strchr("[]:", *text))
            buf_printf(b, "\\%c", *text);
        else
            buf_putc(b, *text);
    }
}

static void zsh_option(struct buf *b, unsigned row, const char *spelled)
{
    buf_puts(b, " \\\n      '");
    if (options[row].letter)
        buf_printf(b, "(-%c --%s)", options[row].letter, options[row].flag);
    buf_printf(b, "%s[", spelled);
    shell_text(b, options[row].help, true);
    buf_putc(b, ']');
    if (has_choices(row)) {
        buf_puts(b, ":value:(");
        put_choices(b, row);
        buf_putc(b, ')');
    } else if (options[row].value[0]) {
        buf_printf(b, ":%s:", options[row].value);
    }
    buf_putc(b, '\'');
}

static void zsh_options(struct buf *b, unsigned mask, bool exactly)
{
    for (unsigned k = 0; k < OPTION_COUNT; k++) {
        char spelled[64];
        bool valued = options[k].value[0];
        if (exactly ? options[k].commands != mask : !(options[k].commands & mask))
            continue;
        snprintf(spelled, sizeof(spelled), "--%s%s", options[k].flag, valued ? "=" : "");
        zsh_option(b, k, spelled);
        snprintf(spelled, sizeof(spelled), "-%c%s", options[k].letter, valued ? "+" : "");
        if (options[k].letter)
            zsh_option(b, k, spelled);
    }
}

/* As a file in zsh's fpath it is called the function _persai; sourced, it says so itself. */
static void print_zsh(struct buf *b)
{
    buf_puts(b, "#compdef persai\n# made from persai's table of commands\n_persai() {\n"
                "  local curcontext=$curcontext state line\n  local -a commands\n  commands=(\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(b, "    '%s:", commands[i].name);
        shell_text(b, commands[i].help, true);
        buf_puts(b, "'\n");
    }
    buf_puts(b, "  )\n  _arguments -C");
    zsh_options(b, ON_ALL, true);
    buf_puts(b, " \\\n      '--help[Help]' '--version[Version]' '1: :->command' '*:: :->rest'\n"
                "  case $state in\n  command) _describe command commands ;;\n"
                "  rest) case $words[1] in\n"
                "    help) _arguments '1: :(");
    put_commands(b, ' ');
    buf_puts(b, ")' ;;\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(b, "    %s) _arguments", commands[i].name);
        zsh_options(b, 1u << i, false);
        buf_puts(b, " \\\n      '--help[Help]' '*: :{:}' ;;\n");
    }
    buf_puts(b, "    esac ;;\n  esac\n}\n"
                "if [[ $funcstack[1] == _persai ]]; then _persai \"$@\"; "
                "else compdef _persai persai; fi\n");
}

/* Its own __fish_use_subcommand takes an option's value for the command. */
static void print_fish(struct buf *b)
{
    buf_puts(b, "# fish completion of persai; made from its table of commands\n"
                "function __persai_at\n    set -l words (commandline -opc)\n    set -l command ''\n"
                "    set -e words[1]\n    while set -q words[1]\n        switch $words[1]\n"
                "            case ");
    put_valued(b, ' ');
    buf_puts(b, "\n                set -e words[1]\n            case '-*'\n"
                "            case '*'\n                set command $words[1]\n"
                "                break\n        end\n        set -e words[1]\n    end\n"
                "    contains -- \"$command\" $argv\nend\ncomplete -c persai -f\n"
                "complete -c persai -n '__persai_at help' -a '");
    put_commands(b, ' ');
    buf_puts(b, "'\ncomplete -c persai -n '__persai_at \"\"' -l version\n"
                "complete -c persai -l help\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(b, "complete -c persai -n '__persai_at \"\"' -a %s -d '", commands[i].name);
        shell_text(b, commands[i].help, false);
        buf_puts(b, "'\n");
    }
    for (unsigned k = 0; k < OPTION_COUNT; k++)
        fish_option(b, k);
}

static void fish_option(struct buf *b, unsigned row)
{
    buf_puts(b, "complete -c persai -n '__persai_at");
    if (options[row].commands == ON_ALL)
        buf_puts(b, " \"\"");
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        if (options[row].commands >> i & 1)
            buf_printf(b, " %s", commands[i].name);
    buf_printf(b, "' -l %s", options[row].flag);
    if (options[row].letter)
        buf_printf(b, " -s %c", options[row].letter);
    if (has_choices(row)) {
        buf_puts(b, " -a '");
        put_choices(b, row);
        buf_putc(b, '\'');
    }
    buf_puts(b, options[row].value[0] ? " -x -d '" : " -d '");
    shell_text(b, options[row].help, false);
    buf_puts(b, "'\n");
}
