#!lua
-- S M F L. owner, keep, whether it is kept for good (1, 0; -1: as it is), then (field, value) of each that changes.
-- -> when, its bytes.
-- Durable.
local S, M, F, L = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local now = now_ms()
if ARGV[3] == '1' then
    redis.call('HSET', S, 'keep', 1)
    for _, key in ipairs(KEYS) do
        redis.call('PERSIST', key)
    end
elseif ARGV[3] == '0' then
    redis.call('HDEL', S, 'keep')
end
for i = 4, #ARGV, 2 do
    redis.call('HSET', S, ARGV[i], ARGV[i + 1])
end
redis.call('HSET', S, 'updated', now)
expire(session_keep(S, ARGV[2]), S, M, F, L)
return {'ok', now, session_bytes(S)}
