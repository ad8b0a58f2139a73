#!lua flags=allow-oom
-- S M F L. Removes every key of the session; what runs in it is fenced by that. -> the turn that
-- was open, or ''; the hash of the idempotency key that made the session, or ''.
-- owner, prefixes of the turns', streams' and idempotency keys.
-- Durable.
local S, M, F, L = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local v = redis.call('HMGET', S, 'running', 'once')
for _, tid in ipairs(redis.call('ZRANGE', L, 0, -1)) do
    local key = redis.call('HGET', ARGV[2] .. tid, 'key')
    if key and key ~= '' then
        redis.call('DEL', ARGV[4] .. key)
    end
    redis.call('UNLINK', ARGV[2] .. tid, ARGV[3] .. tid)
end
redis.call('UNLINK', S, M, F, L)
return {'ok', v[1] or '', v[2] or ''}
