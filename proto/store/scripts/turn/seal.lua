#!lua flags=allow-oom
-- S M F L T E. A checkpoint: events, messages and state in one. -> turn, owner, when.
-- turn, epoch, first seq, last seq, batch, state, step, attempt, tokens in, out, cached, cost, lease,
-- keep, events' keep, most entries, until when a decision is waited for (Unix ms), the calls that
-- wait for it (JSON), how many, (call id, hash) of each, messages...
-- Durable.
local S, M, F, L, T, E = unpack(KEYS)
local tid, epoch, last, state = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4]), ARGV[6]
local t = turn_read(T)
local owner = redis.call('HGET', S, 'owner')
if t and epoch > t.epoch then
    return {'history_lost'}
end
if not t or not owner or t.epoch ~= epoch then
    return {'fenced'}
end
local now, seq = now_ms(), turn_seq(t)
local id = string.format('%d-%d', epoch, last)
if t.sealed == id then -- sent again: also while copies of it are waited for
    if t.state == 'running' then
        t.lease = now + tonumber(ARGV[13])
        redis.call('HSET', T, 'lease', t.lease)
    end
    return {'ok', turn_answer(t, now), owner, updated(S)}
end
if t.state ~= 'running' then
    return {'fenced'}
end
if last <= seq then
    return {'internal'} -- a seal is past all that was said: a fault of the worker
end
if tonumber(ARGV[3]) > seq + 1 then
    return {'history_lost'}
end
local added = redis.pcall('XADD', E, 'MAXLEN', '~', ARGV[16], id, 'e', ARGV[5])
if added.err then
    return added
end
redis.call('HINCRBY', T, 'ev', #ARGV[5])
local asks = tonumber(ARGV[19])
for i = 20 + 2 * asks, #ARGV do
    message_append(S, M, ARGV[i])
end
for i, field in ipairs({'itok', 'otok', 'ctok', 'cost'}) do
    local more = tonumber(ARGV[8 + i]) - (tonumber(redis.call('HGET', T, field)) or 0)
    redis.call('HINCRBY', S, field, more)
end
t.state, t.le, t.ls = state, epoch, last
t.lease = now + (state == 'running' and tonumber(ARGV[13]) or 0)
redis.call('HSET', T, 'state', state, 'le', epoch, 'ls', last, 'sealed', id, 'lease', t.lease,
           'step', ARGV[7], 'attempt', ARGV[8], 'itok', ARGV[9], 'otok', ARGV[10], 'ctok', ARGV[11],
           'cost', ARGV[12])
expire(session_keep(S, ARGV[14]), S, M, F, L, T, E)
if not turn_open(t) then
    turn_end(now, S, T, E, tid, ARGV[15])
elseif state == 'awaiting' then
    local asked = asked_read(T)
    for i = 20, 19 + 2 * asks, 2 do
        local id, hash = ARGV[i], ARGV[i + 1]
        local before = asked[id]
        local reused = before and (before[3] == 1 or before[1] ~= hash)
        asked[id] = {hash, -1, reused and 1 or 0}
    end
    asked_write(T, asked)
    t.wait = tonumber(ARGV[17])
    redis.call('HSET', T, 'holder', '', 'wait', t.wait, 'asks', ARGV[18])
    redis.call('HSET', S, 'updated', now)
end
return {'ok', turn_answer(t, now), owner, updated(S)}
