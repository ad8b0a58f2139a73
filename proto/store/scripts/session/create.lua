#!lua
-- S M F L. A new session, empty or a copy's; the same id of the same owner again answers as before.
-- owner title model settings turns keep mseq, its idempotency key's hash (or ''), hash of what was asked
-- for with that key (or ''), its life (0: it is listed, and lives as all do), how many messages are there already
-- (session/put), then (message id, message, flags) of each other. -> when, 0 where it isn't listed; its bytes.
-- Durable.
local S, M, F, L = unpack(KEYS)
local now = now_ms()
if redis.call('EXISTS', S) == 1 then
    local word = owned(S, ARGV[1]) and 'ok' or 'session_not_found'
    if word == 'ok' and ARGV[9] ~= '' and ARGV[9] ~= (redis.call('HGET', S, 'body') or ARGV[9]) then
        word = 'idempotency_mismatch'
    end
    return {word, listed(S, updated(S)), session_bytes(S)}
end
if redis.call('HLEN', M) ~= tonumber(ARGV[11]) then
    return {'store_unavailable'} -- it came so late that they have gone
end
redis.call('HSET', S, 'owner', ARGV[1], 'title', ARGV[2], 'model', ARGV[3], 'settings', ARGV[4],
           'turns', ARGV[5], 'mseq', ARGV[7], 'created', now, 'updated', now, 'running', '', 'once', ARGV[8])
local bytes = 0
for id = 1, ARGV[11] ~= '0' and tonumber(ARGV[7]) or 0 do
    bytes = bytes + redis.call('HSTRLEN', M, string.format('%d', id))
end
for i = 12, #ARGV, 3 do
    redis.call('HSET', M, ARGV[i], ARGV[i + 1])
    bytes = bytes + #ARGV[i + 1]
    if ARGV[i + 2] ~= '' then
        redis.call('HSET', F, ARGV[i], ARGV[i + 2])
    end
end
redis.call('HSET', S, 'bytes', bytes)
if ARGV[9] ~= '' then
    redis.call('HSET', S, 'body', ARGV[9])
end
if ARGV[10] ~= '0' then
    redis.call('HSET', S, 'life', ARGV[10])
end
redis.call('PERSIST', M)
redis.call('PERSIST', F)
expire(session_keep(S, ARGV[6]), S, M, F, L)
return {'ok', listed(S, now), session_bytes(S)}
