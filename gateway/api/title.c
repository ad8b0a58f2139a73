#include "gateway/api/title.h"

struct str title_of(struct str message, size_t max)
{
    struct str line;
    message = str_trim(message);
    if (!str_split(&message, '\n', &line))
        return (struct str){0};
    if (line.len > max) {
        line.len = max;
        while (line.len > 0 && ((unsigned char)line.at[line.len] & 0xc0) == 0x80)
            line.len--; /* not in the middle of a character */
    }
    return str_trim(line);
}
