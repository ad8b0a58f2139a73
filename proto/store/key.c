#include "proto/store/key.h"

#include <sodium.h>
#include "common/check.h"

static void put_id(struct store_command *a, struct id id)
{
    char text[ID_TEXT + 1];
    id_text(id, text);
    buf_puts(&a->bytes, text);
}

static void put_key(struct store_command *a, char kind, struct id session, const char *more)
{
    buf_printf(&a->bytes, "p:%c:{", kind);
    put_id(a, session);
    buf_puts(&a->bytes, "}");
    buf_puts(&a->bytes, more);
}

void ask_session_keys(struct store_command *a, struct id session)
{
    for (const char *kind = "smfl"; *kind; kind++) {
        put_key(a, *kind, session, "");
        ask_cut(a);
    }
    a->keys = a->argc;
}

void ask_turn_key(struct store_command *a, struct id session, struct id turn)
{
    put_key(a, 't', session, ":");
    put_id(a, turn);
    ask_cut(a);
    a->keys = a->argc;
}

void ask_stream_key(struct store_command *a, struct id session, struct id turn)
{
    put_key(a, 'e', session, ":");
    put_id(a, turn);
    ask_cut(a);
    a->keys = a->argc;
}

void ask_turn_keys(struct store_command *a, struct id session, struct id turn)
{
    ask_session_keys(a, session);
    ask_turn_key(a, session, turn);
    ask_stream_key(a, session, turn);
}

void ask_once_key(struct store_command *a, struct id session, const char *hash)
{
    put_key(a, 'k', session, ":");
    buf_puts(&a->bytes, hash);
    ask_cut(a);
    a->keys = a->argc;
}

void ask_turn_prefix(struct store_command *a, struct id session)
{
    put_key(a, 't', session, ":");
    ask_cut(a);
}

void ask_stream_prefix(struct store_command *a, struct id session)
{
    put_key(a, 'e', session, ":");
    ask_cut(a);
}

void ask_once_prefix(struct store_command *a, struct id session)
{
    put_key(a, 'k', session, ":");
    ask_cut(a);
}

void ask_owner_key(struct store_command *a, struct str owner)
{
    buf_puts(&a->bytes, "p:u:{");
    buf_add_str(&a->bytes, owner);
    buf_puts(&a->bytes, "}");
    ask_cut(a);
}

void ask_name_key(struct store_command *a, struct str name)
{
    buf_puts(&a->bytes, "p:n:{");
    buf_add_str(&a->bytes, name);
    buf_puts(&a->bytes, "}");
    ask_cut(a);
}

void ask_session_key(struct store_command *a, struct id session)
{
    put_key(a, 's', session, "");
    ask_cut(a);
    a->keys = a->argc;
}

void ask_storage_key(struct store_command *a, struct str owner)
{
    buf_puts(&a->bytes, "p:a:{o:");
    buf_add_str(&a->bytes, owner);
    buf_puts(&a->bytes, "}:b");
    ask_cut(a);
    a->keys = a->argc;
}

void ask_owner_once_key(struct store_command *a, struct str owner, const char *hash)
{
    buf_puts(&a->bytes, "p:i:{");
    buf_add_str(&a->bytes, owner);
    buf_puts(&a->bytes, "}:");
    buf_puts(&a->bytes, hash);
    ask_cut(a);
}

void ask_active_key(struct store_command *a) { ask_str(a, STR("p:active")); }

void ask_active_entry(struct store_command *a, struct id session, struct id turn)
{
    put_id(a, session);
    buf_puts(&a->bytes, " ");
    put_id(a, turn);
    ask_cut(a);
}

void store_hash(struct str key, char out[STORE_HASH_TEXT + 1])
{
    unsigned char hash[STORE_HASH_TEXT / 2];
    CHECK(crypto_generichash(hash, sizeof hash, (const unsigned char *)key.at, key.len, NULL, 0) ==
          0);
    sodium_bin2hex(out, STORE_HASH_TEXT + 1, hash, sizeof hash);
}

int64_t store_once_ms(const struct store *s)
{
    enum { ONCE_KEEP_MS = 24 * 3600 * 1000 };
    int64_t keep_ms = s->config.session_keep_ms;
    return keep_ms > 0 && keep_ms < ONCE_KEEP_MS ? keep_ms : ONCE_KEEP_MS;
}
