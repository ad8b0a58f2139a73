#!lua
-- T E. Stores provisional events. -> turn. epoch, first seq, last seq, batch, lease, most entries.
local T, E = KEYS[1], KEYS[2]
local t = turn_read(T)
local epoch, last = tonumber(ARGV[1]), tonumber(ARGV[3])
if t and epoch > t.epoch then
    return {'history_lost'}
end
if not t or t.state ~= 'running' or t.epoch ~= epoch then
    return {'fenced'}
end
local now, seq = now_ms(), turn_seq(t)
if tonumber(ARGV[2]) > seq + 1 then
    return {'history_lost'} -- this worker had stored more than there is
end
t.lease = now + tonumber(ARGV[5])
if last > seq then -- else sent again
    -- The id is a second fence: Redis refuses one that is not past the stream's last.
    local added = redis.pcall('XADD', E, 'MAXLEN', '~', ARGV[6], string.format('%d-%d', epoch, last), 'e', ARGV[4])
    if added.err then
        return added
    end
    t.le, t.ls = epoch, last
    redis.call('HSET', T, 'le', epoch, 'ls', last, 'lease', t.lease)
    redis.call('HINCRBY', T, 'ev', #ARGV[4])
else
    redis.call('HSET', T, 'lease', t.lease)
end
return {'ok', turn_answer(t, now)}
