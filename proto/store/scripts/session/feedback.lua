#!lua
-- S M F L. What its owner thinks of an answer; the last counts. -> the answer's model, the sentiment before (0: none),
-- the session's bytes; these alone, where it is no answer.
-- owner, message, sentiment (1, -1; 0: taken back), comment.
-- Durable.
local S, M = KEYS[1], KEYS[2]
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local record = redis.call('HGET', M, ARGV[2])
local fine, message = pcall(cmsgpack.unpack, record or '')
if not record or not fine or type(message) ~= 'table' then
    return {'message_not_found', session_bytes(S)}
end
if message.role ~= 1 then
    return {'invalid', session_bytes(S)}
end
local before = feedback_read(S, ARGV[2])
feedback_drop(S, ARGV[2])
if ARGV[3] ~= '0' then
    local packed = cmsgpack.pack({tonumber(ARGV[3]), ARGV[4], now_ms()})
    redis.call('HSET', S, 'fb:' .. ARGV[2], packed)
    redis.call('HINCRBY', S, 'kept', #packed + FEEDBACK_BYTES)
end
local model = type(message.model) == 'string' and message.model or ''
return {'ok', model, before and before[1] or 0, session_bytes(S)}
