#include "worker/endpoint.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/file.h"
#include "common/json.h"
#include "proto/settings_check.h"

enum { KEY_FILE_MAX = 8192, VALUE_MAX = 1024, LIST_BYTES_MAX = 1 << 20 };

bool endpoint_url_ok(const char *url) { return settings_url_ok(url); }

void endpoint_host(const char *url, char out[ENDPOINT_HOST_MAX])
{
    const char *from = strstr(url, "://") ? strstr(url, "://") + 3 : url;
    size_t len = strcspn(from, "/?#");
    for (size_t i = len; i > 0; i--)
        if (from[i - 1] == '@') {
            from += i;
            len -= i;
            break;
        }
    snprintf(out, ENDPOINT_HOST_MAX, "%.*s",
             (int)(len < ENDPOINT_HOST_MAX ? len : ENDPOINT_HOST_MAX - 1), from);
}

bool endpoint_header_ok(const char *name, const char *value)
{
    static const char *const ours[] = {"content-length", "content-type", "host",
                                       "transfer-encoding", "accept"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcasecmp(name, ours[i]) == 0)
            return false;
    return name[0] &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789-_") == strlen(name) &&
           strlen(value) < VALUE_MAX && !strpbrk(value, "\r\n");
}

const char *endpoint_text(const json_t *object, const char *key)
{
    const char *t = json_string_value(json_object_get(object, key));
    return t && t[0] ? t : NULL;
}

static bool is_among(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* baseUrl, base-url and BASE_URL are base_url. */
static bool same_word(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "_-");
        b += strspn(b, "_-");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}

/* NULL: it is like none. */
static const char *meant(const char *key, const char *const *names)
{
    static const char *const others[][2] = {{"api_key", "key_env"},
                                            {"key", "key_env"},
                                            {"token", "key_env"},
                                            {"api_key_env", "key_env"},
                                            {"api_key_file", "key_file"},
                                            {"api_base", "base_url"},
                                            {"url", "base_url"},
                                            {"endpoint", "base_url"},
                                            {"base_url", "url"},
                                            {"endpoint", "url"},
                                            {"max_tokens", "max_output_tokens"},
                                            {"context_window", "window"},
                                            {"context_length", "window"},
                                            {"vendor", "provider"},
                                            {"type", "provider"},
                                            {"prices", "price"},
                                            {"rpm", "requests_per_minute"},
                                            {"tpm", "tokens_per_minute"},
                                            {"allow", "tools"},
                                            {"allowed_tools", "tools"}};
    for (size_t i = 0; names[i]; i++)
        if (same_word(key, names[i]))
            return names[i];
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (same_word(key, others[i][0]) && is_among(others[i][1], names))
            return others[i][1];
    return settings_nearest(key, names);
}

bool endpoint_known(const json_t *object, const char *const *names, char reason[160])
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
    {
        if (is_among(key, names))
            continue;
        const char *near = meant(key, names);
        snprintf(reason, 160, "\"%.60s\" is no field that is known%s%s%s", key,
                 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        return false;
    }
    return true;
}

bool endpoint_texts(const json_t *object, const char *const *names, char reason[160])
{
    for (; *names; names++) {
        const json_t *v = json_object_get(object, *names);
        if (!v || json_string_length(v) > 0)
            continue;
        snprintf(reason, 160, "\"%s\" must be a text, and not an empty one", *names);
        return false;
    }
    return true;
}

static bool read_all(const char *path, struct buf *out, char why[160])
{
    if (file_read(path, out))
        return true;
    if (errno == EFBIG)
        snprintf(why, 160, "it is over 1 MiB");
    else
        snprintf(why, 160, "it cannot be read: %s", strerror(errno));
    return false;
}

json_t *endpoint_list(const char *setting, const char *path, char error[256])
{
    char why[160] = "";
    json_error_t at;
    json_t *root = NULL;
    scoped_buf(bytes, LIST_BYTES_MAX);
    if (read_all(path, &bytes, why)) {
        struct str text = str_skip_bom(buf_str(&bytes));
        root = json_loadb(text.at ? text.at : "", text.len, JSON_REJECT_DUPLICATES, &at);
        if (str_starts(text, STR("\xff\xfe")) || str_starts(text, STR("\xfe\xff")))
            snprintf(why, sizeof(why), "it is UTF-16: save it as UTF-8");
        else if (!root)
            snprintf(why, sizeof(why), "%.120s (line %d)", at.text, at.line);
        else if (!json_is_array(root))
            snprintf(why, sizeof(why), "it is no JSON list");
    }
    if (why[0] == '\0')
        return root;
    snprintf(error, 256, "%s: %.80s: %s", setting, path, why);
    json_decref(root);
    return NULL;
}

unsigned endpoint_line(const char *path, size_t item, const char *reason)
{
    const char *from = strchr(reason, '"'), *to = from ? strchr(from + 1, '"') : NULL;
    char why[160];
    scoped_buf(bytes, LIST_BYTES_MAX);
    if (!read_all(path, &bytes, why))
        return 0;
    struct str text = buf_str(&bytes);
    size_t begin = json_item_at(text, item), at = begin;
    if (to) {
        size_t len = (size_t)(to - from) + 1;
        const char *word = memmem(text.at + begin, text.len - begin, from, len);
        at = word ? (size_t)(word - text.at) : begin;
    }
    return str_line(text, at);
}

bool endpoint_key(const json_t *object, struct secret **key, char reason[160])
{
    const char *env = endpoint_text(object, "key_env"), *path = endpoint_text(object, "key_file");
    *key = NULL;
    if (env) {
        const char *value = getenv(env);
        if (value == NULL || value[0] == '\0') {
            snprintf(reason, 160, "the variable %.60s is not set", env);
            return false;
        }
        *key = secret_new(str_of(value));
    } else if (path) {
        scoped_buf(bytes, KEY_FILE_MAX - 1);
        buf_keep_secret(&bytes);
        bool read = file_read(path, &bytes);
        struct str trimmed = str_trim(str_skip_bom(buf_str(&bytes)));
        if (!read || trimmed.len == 0) {
            snprintf(reason, 160, "no key could be read from %.100s", path);
            return false;
        }
        *key = secret_new(trimmed);
    }
    return true;
}
