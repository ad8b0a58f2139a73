#!lua
-- S. The session becomes another owner's, when it is the first's and was created at or after a time. -> whether
-- it is the other's now (0: it is older), when it was updated, its bytes, the hash of the idempotency
-- key that made it, or '', whether it is kept for good. Once more: as before.
-- owner, new owner, Unix ms.
-- Durable.
local S, from, to, since = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local v = redis.call('HMGET', S, 'owner', 'created', 'once')
if v[1] ~= from and v[1] ~= to then
    return {'session_not_found'}
end
if v[1] == from then
    if (tonumber(v[2]) or 0) < since then
        return {'ok', 0}
    end
    redis.call('HSET', S, 'owner', to)
    -- What the first one allowed, and whom they showed it to, is not the other's word.
    redis.call('HDEL', S, 'sources', 'share', 'sharefor')
end
return {'ok', 1, updated(S), session_bytes(S), v[3] or '', redis.call('HEXISTS', S, 'keep')}
