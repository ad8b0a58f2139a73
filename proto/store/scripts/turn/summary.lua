#!lua
-- S M F L T E. Keeps a summary of the conversation's oldest messages, up to one of them; not when
-- messages were changed since the worker read them. The same again changes nothing. -> turn.
-- epoch, revision of the messages, the last one that it covers, text.
local S, M, F, L, T = unpack(KEYS)
local t = turn_read(T)
if not t or redis.call('EXISTS', S) == 0 or t.state ~= 'running' or t.epoch ~= tonumber(ARGV[1]) then
    return {'fenced'}
end
local v = redis.call('HMGET', S, 'mrev', 'sumto')
if (tonumber(v[1]) or 0) ~= tonumber(ARGV[2]) or (tonumber(v[2]) or 0) > tonumber(ARGV[3]) then
    return {'invalid'}
end
redis.call('HSET', S, 'sum', ARGV[4], 'sumto', ARGV[3])
return {'ok', turn_answer(t, now_ms())}
