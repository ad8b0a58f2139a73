#!lua flags=allow-oom
-- T. Ends the lease: nobody holds the turn any more. -> turn. epoch.
local T = KEYS[1]
local t = turn_read(T)
if not t or t.state ~= 'running' or t.epoch ~= tonumber(ARGV[1]) then
    return {'fenced'}
end
local now = now_ms()
if t.lease > now then
    t.lease = now
    redis.call('HSET', T, 'lease', now, 'holder', '')
end
return {'ok', turn_answer(t, now)}
