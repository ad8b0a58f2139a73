/* gateway/cli/usage.h: the command line of persai, from the rows of commands.def: parsed, and told
 * as --help, man page and completions. */
#ifndef GATEWAY_CLI_USAGE_H
#define GATEWAY_CLI_USAGE_H

#include "common/buf.h"

enum command {
#define COMMAND(name, arguments, least, most, help) COMMAND_##name,
#define OPTION(field, flag, letter, value, commands, help)
#include "gateway/cli/commands.def"
#undef COMMAND
#undef OPTION
    COMMAND_COUNT
};
enum { ARGUMENTS_MAX = 64 };

/* Borrowed from argv. A switch that is given is "". */
struct usage {
    enum command command;
#define COMMAND(name, arguments, least, most, help)
#define OPTION(field, flag, letter, value, commands, help) const char *field;
#include "gateway/cli/commands.def"
#undef COMMAND
#undef OPTION
    const char *arguments[ARGUMENTS_MAX];
    unsigned count;
};

enum usage_verdict {
    USAGE_RUN,
    USAGE_PRINT, /* out is for stdout: --help, --version, --print-… */
    USAGE_WRONG, /* out is a sentence */
};
enum usage_verdict usage_parse(int argc, char **argv, struct usage *u, struct buf *out);

#endif
