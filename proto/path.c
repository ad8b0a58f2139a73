#include "proto/path.h"

enum { NAME_MAX_BYTES = 75 }; /* Perses: metadata names are 1 to 75 characters */

bool path_name_ok(struct str name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES || str_is(name, ".") || str_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-';
        if (!ok)
            return false;
    }
    return true;
}

/* Takes "WORD/" off the front. */
static bool take_word(struct str *rest, struct str word)
{
    if (!str_starts(*rest, word))
        return false;
    *rest = str_skip(*rest, word.len);
    return true;
}

/* Takes a name and the slash behind it. */
static bool take_name(struct str *rest, struct str *name)
{
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '/')
        len++;
    if (len == rest->len)
        return false;
    *name = (struct str){rest->at, len};
    *rest = str_skip(*rest, len + 1);
    return path_name_ok(*name);
}

enum err path_parse(struct str text, struct path *out)
{
    struct str rest = text;
    *out = (struct path){0};
    if (text.len == 0)
        return ERR_NO_DATASOURCE_PATH;
    if (text.len > PATH_MAX_BYTES || !take_word(&rest, STR("/proxy/")))
        return ERR_BAD_DATASOURCE_PATH;
    if (take_word(&rest, STR("projects/"))) {
        if (!take_name(&rest, &out->project))
            return ERR_BAD_DATASOURCE_PATH;
        if (take_word(&rest, STR("dashboards/")) && !take_name(&rest, &out->dashboard))
            return ERR_BAD_DATASOURCE_PATH;
        if (!take_word(&rest, STR("datasources/")))
            return ERR_BAD_DATASOURCE_PATH;
    } else if (!take_word(&rest, STR("globaldatasources/"))) {
        return ERR_BAD_DATASOURCE_PATH;
    }
    out->name = rest;
    return path_name_ok(rest) ? ERR_NONE : ERR_BAD_DATASOURCE_PATH;
}
