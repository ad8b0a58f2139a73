#!lua flags=no-writes
-- S M F L. What a copy of the messages before one takes: a thousand at a time. -> bytes and count of them past
-- `after`, up to which it looked; at the end title, model and settings of the session, else nothing.
-- owner, after, the message before which.
local S, M = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local wait = unsure(S)
if wait then
    return wait
end
if redis.call('HEXISTS', M, ARGV[3]) == 0 then
    return {'message_not_found'}
end
local from, last, bytes, count = tonumber(ARGV[2]) + 1, tonumber(ARGV[3]) - 1, 0, 0
local upto = math.min(last, from + 999)
for id = from, upto do
    local len = redis.call('HSTRLEN', M, string.format('%d', id))
    bytes, count = bytes + len, count + (len > 0 and 1 or 0)
end
local v = upto == last and redis.call('HMGET', S, 'title', 'model', 'settings') or {}
return {'ok', bytes, count, upto, v[1] or '', v[2] or '', v[3] or ''}
