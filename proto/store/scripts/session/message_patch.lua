#!lua
-- S M F L. owner, message, pinned, excluded (-1: as it is).
-- Durable.
local S, M, F = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
if redis.call('HEXISTS', M, ARGV[2]) == 0 then
    return {'message_not_found'}
end
local old, new = redis.call('HGET', F, ARGV[2]) or '', ''
for i, flag in ipairs({'p', 'x'}) do
    local asked = ARGV[2 + i]
    if asked == '1' or (asked == '-1' and string.find(old, flag, 1, true)) then
        new = new .. flag
    end
end
if new == '' then
    redis.call('HDEL', F, ARGV[2])
else
    redis.call('HSET', F, ARGV[2], new)
end
message_changed(S, ARGV[2])
local left = redis.call('PTTL', S)
expire(left, F)
return {'ok'}
