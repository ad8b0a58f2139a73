/* tests/support/eval_catalog.h: the evaluation's files, and catalogs of metrics made of them. */
#ifndef TESTS_SUPPORT_EVAL_CATALOG_H
#define TESTS_SUPPORT_EVAL_CATALOG_H

#include "tests/support/unit.h"

#include <jansson.h>
#include <stdio.h>
#include "common/buf.h"
#include "common/json.h"
#include "worker/tools/prometheus/catalog.h"

#ifndef EVAL_FOLDER
#define EVAL_FOLDER PERSAI_SOURCE_DIR "/tests/eval"
#endif

static inline json_t *eval_load(const char *name)
{
    char path[512];
    json_error_t error;
    snprintf(path, sizeof(path), "%s/%s", EVAL_FOLDER, name);
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s: %s", path, error.text);
    return root;
}

/* metadata: {"a": {"type", "help"}, …} */
static inline void eval_catalog(struct catalog *c, const json_t *names, const json_t *metadata)
{
    size_t i;
    const json_t *name, *entry;
    const char *key;
    scoped_buf(text, 8 << 20);
    catalog_init(c);
    buf_puts(&text, "{\"status\":\"success\",\"data\":[");
    json_array_foreach(names, i, name)
    {
        buf_puts(&text, i > 0 ? "," : "");
        json_str(&text, json_text(name));
    }
    buf_puts(&text, "]}");
    assert_true(catalog_feed_names(c, buf_str(&text)));
    assert_true(catalog_end_names(c, false));
    buf_clear(&text);
    buf_puts(&text, "{\"status\":\"success\",\"data\":{");
    bool first = true;
    json_object_foreach((json_t *)metadata, key, entry)
    {
        buf_puts(&text, first ? "" : ",");
        json_str(&text, str_of(key));
        buf_puts(&text, ":[{\"type\":");
        json_str(&text, json_text(json_object_get(entry, "type")));
        buf_puts(&text, ",\"help\":");
        json_str(&text, json_text(json_object_get(entry, "help")));
        buf_puts(&text, "}]");
        first = false;
    }
    buf_puts(&text, "}}");
    assert_true(catalog_feed_metadata(c, buf_str(&text)));
    catalog_end_metadata(c);
}

/* Names and types alone: many datasources have no metadata. */
static inline void eval_exporters(struct catalog *c)
{
    char path[512], name[256], type[32];
    json_auto_t *names = json_array(), *metadata = json_object();
    snprintf(path, sizeof(path), "%s/catalogs/exporters.txt", EVAL_FOLDER);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fscanf(file, "%255s %31s", name, type) == 2) {
        json_array_append_new(names, json_string(name));
        json_object_set_new(metadata, name, json_pack("{s:s}", "type", type));
    }
    fclose(file);
    eval_catalog(c, names, metadata);
}

#endif
