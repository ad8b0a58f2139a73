#include "proto/store/key.h"

#include <stdio.h>
#include <sodium.h>
#include "common/check.h"

static void put_id(struct store_command *cmd, struct id id)
{
    char text[ID_TEXT + 1];
    id_text(id, text);
    buf_puts(&cmd->bytes, text);
}

static void put_key(struct store_command *cmd, char kind, struct id session, const char *more)
{
    const char head[] = {'p', ':', kind, ':', '{'};
    buf_add(&cmd->bytes, head, sizeof(head));
    put_id(cmd, session);
    buf_puts(&cmd->bytes, "}");
    buf_puts(&cmd->bytes, more);
}

void command_session_keys(struct store_command *cmd, struct id session)
{
    for (const char *kind = "smfl"; *kind; kind++) {
        put_key(cmd, *kind, session, "");
        command_cut(cmd);
    }
    cmd->keys = cmd->argc;
}

void command_turn_key(struct store_command *cmd, struct id session, struct id turn)
{
    put_key(cmd, 't', session, ":");
    put_id(cmd, turn);
    command_cut(cmd);
    cmd->keys = cmd->argc;
}

void command_stream_key(struct store_command *cmd, struct id session, struct id turn)
{
    put_key(cmd, 'e', session, ":");
    put_id(cmd, turn);
    command_cut(cmd);
    cmd->keys = cmd->argc;
}

void command_turn_keys(struct store_command *cmd, struct id session, struct id turn)
{
    command_session_keys(cmd, session);
    command_turn_key(cmd, session, turn);
    command_stream_key(cmd, session, turn);
}

void command_once_key(struct store_command *cmd, struct id session, const char *hash)
{
    put_key(cmd, 'k', session, ":");
    buf_puts(&cmd->bytes, hash);
    command_cut(cmd);
    cmd->keys = cmd->argc;
}

void command_turn_prefix(struct store_command *cmd, struct id session)
{
    put_key(cmd, 't', session, ":");
    command_cut(cmd);
}

void command_stream_prefix(struct store_command *cmd, struct id session)
{
    put_key(cmd, 'e', session, ":");
    command_cut(cmd);
}

void command_once_prefix(struct store_command *cmd, struct id session)
{
    put_key(cmd, 'k', session, ":");
    command_cut(cmd);
}

void command_owner_key(struct store_command *cmd, struct str owner)
{
    buf_puts(&cmd->bytes, "p:u:{");
    buf_add_str(&cmd->bytes, owner);
    buf_puts(&cmd->bytes, "}");
    command_cut(cmd);
}

void command_kept_key(struct store_command *cmd, struct str owner)
{
    buf_puts(&cmd->bytes, "p:v:{");
    buf_add_str(&cmd->bytes, owner);
    buf_puts(&cmd->bytes, "}");
    command_cut(cmd);
}

void command_name_key(struct store_command *cmd, struct str name)
{
    buf_puts(&cmd->bytes, "p:n:{");
    buf_add_str(&cmd->bytes, name);
    buf_puts(&cmd->bytes, "}");
    command_cut(cmd);
}

void command_session_key(struct store_command *cmd, struct id session)
{
    put_key(cmd, 's', session, "");
    command_cut(cmd);
    cmd->keys = cmd->argc;
}

void command_storage_key(struct store_command *cmd, struct str owner)
{
    buf_puts(&cmd->bytes, "p:a:{o:");
    buf_add_str(&cmd->bytes, owner);
    buf_puts(&cmd->bytes, "}:b");
    command_cut(cmd);
    cmd->keys = cmd->argc;
}

void command_owner_once_key(struct store_command *cmd, struct str owner, const char *hash)
{
    buf_puts(&cmd->bytes, "p:i:{");
    buf_add_str(&cmd->bytes, owner);
    buf_puts(&cmd->bytes, "}:");
    buf_puts(&cmd->bytes, hash);
    command_cut(cmd);
}

void command_tally_key(struct store_command *cmd, unsigned day)
{
    char key[32];
    snprintf(key, sizeof(key), "p:use:%u", day);
    command_str(cmd, str_of(key));
    cmd->keys = cmd->argc;
}

void command_active_key(struct store_command *cmd) { command_str(cmd, STR("p:active")); }

void command_active_entry(struct store_command *cmd, struct id session, struct id turn)
{
    put_id(cmd, session);
    buf_puts(&cmd->bytes, " ");
    put_id(cmd, turn);
    command_cut(cmd);
}

void store_hash(struct str key, char out[STORE_HASH_TEXT + 1])
{
    unsigned char hash[STORE_HASH_TEXT / 2];
    CHECK(crypto_generichash(hash, sizeof(hash), (const unsigned char *)key.at, key.len, NULL, 0) ==
          0);
    sodium_bin2hex(out, STORE_HASH_TEXT + 1, hash, sizeof(hash));
}

int64_t store_once_ms(const struct store *s)
{
    enum { ONCE_KEEP_MS = 24 * 3600 * 1000 };
    int64_t keep_ms = s->config.session_keep_ms;
    return keep_ms > 0 && keep_ms < ONCE_KEEP_MS ? keep_ms : ONCE_KEEP_MS;
}
