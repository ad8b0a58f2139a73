#include "gateway/api/title.h"

struct str title_of(struct str message, size_t max)
{
    struct str line;
    message = str_trim(message);
    if (!str_split(&message, '\n', &line))
        return (struct str){0};
    return str_trim(str_cut(line, max));
}
