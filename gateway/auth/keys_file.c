#include "gateway/auth/keys_file.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "common/secret.h"
#include "proto/path.h"

enum { PER_MINUTE_MAX = 1000000, TEXT_MAX = 1024 };

static const char *read_row(const json_t *json, struct key_row *row);
static const char *read_limits(const json_t *json, struct key_row *row);
static const char *read_doors(const json_t *list, unsigned *doors);

static const char *const words[] = {
#define X(name, word) word,
    DOORS(X)
#undef X
};

const char *door_word(enum door d) { return words[d]; }

/* ---- the file ---- */

static void row_free(struct key_row *row)
{
    free(row->name);
    free(row->user);
    free(row->password_file);
    free(row->datasource);
}

void key_rows_free(struct key_rows *r)
{
    for (unsigned i = 0; i < r->count; i++)
        row_free(&r->at[i]);
    free(r->at);
    *r = (struct key_rows){0};
}

/* What two rows must not share. */
static const char *clash(const struct key_rows *rows, const struct key_row *row)
{
    for (unsigned i = 0; i < rows->count; i++) {
        if (strcmp(rows->at[i].name, row->name) == 0)
            return "another row has this name";
        if (sodium_memcmp(rows->at[i].sha256, row->sha256, KEY_HASH) == 0)
            return "another row has this sha256";
    }
    return NULL;
}

bool key_rows_read(struct str json, struct key_rows *out, char error[256])
{
    json_error_t where = {.line = 1};
    *out = (struct key_rows){0};
    json = str_skip_bom(json);
    json_auto_t *list =
        json_loadb(json.at ? json.at : "", json.len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_array(list) || json_array_size(list) > KEY_ROWS_MAX) {
        snprintf(error, 256, "line %d: %.150s", list ? 1 : where.line,
                 list ? "it must be a list of at most 1000 rows" : where.text);
        return false;
    }
    out->at = xcalloc(json_array_size(list) + 1, sizeof(*out->at));
    for (unsigned i = 0; i < json_array_size(list); i++) {
        struct key_row row = {0};
        const char *wrong = read_row(json_array_get(list, i), &row);
        if (!wrong)
            wrong = clash(out, &row);
        if (wrong) {
            snprintf(error, 256, "line %u: %s", str_line(json, json_item_at(json, i)), wrong);
            row_free(&row);
            key_rows_free(out);
            return false;
        }
        out->at[out->count++] = row;
    }
    return true;
}

/* ---- a row; what is wrong with it, or NULL ---- */

/* It goes into logs and the labels of metrics. */
static bool name_ok(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-",
                    name.at[i]))
            return false;
    return name.len > 0 && name.len <= KEY_NAME_MAX && strlen(name.at) == name.len;
}

static bool text_ok(struct str text)
{
    return text.len > 0 && text.len <= TEXT_MAX && strlen(text.at) == text.len;
}

static const char *unknown_field(const json_t *json)
{
    static const char *const known[] = {"name",       "sha256", "user",     "password_file",
                                        "datasource", "doors",  "activity", "requests_per_minute"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
            is_known = is_known || strcmp(known[i], key) == 0;
        if (!is_known)
            return "it has a field that no row has; there are name, sha256, user, password_file, "
                   "datasource, doors, activity, requests_per_minute";
    }
    return NULL;
}

static bool hash_ok(struct str hex, unsigned char out[KEY_HASH])
{
    size_t len = 0;
    return hex.len == 2 * (size_t)KEY_HASH &&
           sodium_hex2bin(out, KEY_HASH, hex.at, hex.len, NULL, &len, NULL) == 0 && len == KEY_HASH;
}

static const char *read_row(const json_t *json, struct key_row *row)
{
    struct str name = json_text(json_object_get(json, "name"));
    struct str user = json_text(json_object_get(json, "user"));
    struct str file = json_text(json_object_get(json, "password_file"));
    const char *unknown = unknown_field(json);
    if (!json_is_object(json))
        return "a row must be an object";
    if (unknown)
        return unknown;
    if (!name_ok(name))
        return "name must be 1 to 64 letters, digits, '_', '.' or '-'";
    if (!hash_ok(json_text(json_object_get(json, "sha256")), row->sha256))
        return "sha256 must be the 64 hexadecimal digits that --make-api-key printed";
    if (!text_ok(user))
        return "user must be the name of a Perses user";
    if (!text_ok(file))
        return "password_file must be the path of a file with that user's password";
    row->name = str_dup(name);
    row->user = str_dup(user);
    row->password_file = str_dup(file);
    return read_limits(json, row);
}

static const char *read_limits(const json_t *json, struct key_row *row)
{
    struct path parsed;
    const json_t *source = json_object_get(json, "datasource");
    const json_t *activity = json_object_get(json, "activity");
    const json_t *most = json_object_get(json, "requests_per_minute");
    json_int_t per_minute = json_integer_value(most);
    if (source && path_parse(json_text(source), &parsed) != ERR_NONE)
        return "datasource must be a path of Perses's proxy, as /proxy/globaldatasources/NAME";
    if (activity && !json_is_boolean(activity))
        return "activity must be true or false";
    if (most && (per_minute < 1 || per_minute > PER_MINUTE_MAX))
        return "requests_per_minute must be a whole number from 1 to 1000000";
    row->datasource = source ? str_dup(json_text(source)) : NULL;
    row->activity = json_is_true(activity);
    row->requests_per_minute = (uint32_t)per_minute;
    return read_doors(json_object_get(json, "doors"), &row->doors);
}

static const char *read_doors(const json_t *list, unsigned *doors)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct str word = json_text(json_array_get(list, i));
        unsigned bit = 0;
        for (unsigned d = 0; d < DOOR_COUNT; d++)
            bit |= str_is(word, words[d]) ? 1u << d : 0;
        if (bit == 0)
            return "doors has a word that is none of api, openai, mcp, agui, webhook";
        *doors |= bit;
    }
    return *doors ? NULL : "doors must be a list of some of api, openai, mcp, agui, webhook";
}

/* ---- a new key ---- */

void key_hash(struct str key, unsigned char out[KEY_HASH])
{
    crypto_hash_sha256(out, (const unsigned char *)key.at, key.len);
}

bool key_make(const char *name, struct buf *out)
{
    unsigned char random[32], hash[KEY_HASH];
    char key[64] = KEY_PREFIX, hex[2 * KEY_HASH + 1];
    if (!name_ok(str_of(name)))
        return false;
    randombytes_buf(random, sizeof(random));
    sodium_bin2base64(key + strlen(key), sizeof(key) - strlen(key), random, sizeof(random),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    key_hash(str_of(key), hash);
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    buf_printf(out,
               "The key, which is shown this once:\n%s\n\nIts row for the file PERSAI_API_KEYS:\n"
               "{\"name\": \"%s\", \"sha256\": \"%s\", \"user\": \"PERSES_USER\", "
               "\"password_file\": \"PATH\", \"doors\": [\"openai\", \"mcp\", \"agui\", "
               "\"api\"]}\n",
               key, name, hex);
    secret_wipe(key, sizeof(key));
    secret_wipe(random, sizeof(random));
    return !out->overflowed;
}
