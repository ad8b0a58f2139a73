#!lua
-- S M F L. owner, keep, then (field, value) of each that changes. -> when, its bytes.
-- Durable.
local S, M, F, L = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local now = now_ms()
for i = 3, #ARGV, 2 do
    redis.call('HSET', S, ARGV[i], ARGV[i + 1])
end
redis.call('HSET', S, 'updated', now)
expire(session_keep(S, ARGV[2]), S, M, F, L)
return {'ok', now, session_bytes(S)}
