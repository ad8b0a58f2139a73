#!lua flags=allow-oom
-- S M F L. owner, message, prefix of the turns' keys. -> the session's bytes.
-- Durable.
local S, M, F = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local bytes = redis.call('HSTRLEN', M, ARGV[2])
if redis.call('HEXISTS', M, ARGV[2]) == 0 then
    return {'message_not_found'}
end
local running = redis.call('HGET', S, 'running') or ''
if running ~= '' then
    local t = turn_read(ARGV[3] .. running)
    local first = tonumber(redis.call('HGET', ARGV[3] .. running, 'first')) or 0
    if t and turn_open(t) and tonumber(ARGV[2]) >= first then
        return {'turn_running'}
    end
end
redis.call('HDEL', M, ARGV[2])
redis.call('HDEL', F, ARGV[2])
redis.call('HINCRBY', S, 'bytes', -bytes)
feedback_drop(S, ARGV[2])
message_changed(S, ARGV[2])
version_drop(S, M, ARGV[2])
return {'ok', session_bytes(S)}
