#!lua flags=allow-oom
-- S M F L T E. A checkpoint: events, messages and state in one. -> turn, owner, when.
-- turn, epoch, first seq, last seq, batch, state, step, attempt, tokens in, out, cached, cost, lease,
-- keep, events' keep, most entries, until when a decision is waited for (Unix ms), the calls that
-- wait for it (JSON), how many, (call id, hash) of each, messages...
-- Durable.
local S, M, F, L, T, E = unpack(KEYS)
local tid, epoch, last, state = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4]), ARGV[6]
local t = turn_read(T)
local had = redis.call('HMGET', S, 'owner', 'life', 'keep', 'bytes', 'mseq', 'itok', 'otok', 'ctok', 'cost', 'updated')
local owner = had[1]
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
    return {'ok', turn_answer(t, now), owner, tonumber(had[10]) or 0}
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
local bytes, mseq = tonumber(had[4]) or 0, tonumber(had[5] or 0)
if not mseq then
    return redis.error_reply('ERR mseq is no number') -- a message would be put over another one
end
local added = redis.pcall('XADD', E, 'MAXLEN', '~', ARGV[16], id, 'e', ARGV[5])
if added.err then
    return added
end
local asks, messages = tonumber(ARGV[19]), {}
for i = 20 + 2 * asks, #ARGV do
    mseq, bytes = mseq + 1, bytes + #ARGV[i]
    fields_add(messages, mseq, ARGV[i])
end
if #messages > 0 then
    redis.call('HSET', M, unpack(messages))
end
local before = redis.call('HMGET', T, 'itok', 'otok', 'ctok', 'cost', 'ev', 'step', 'deaths')
local ev = (tonumber(before[5]) or 0) + #ARGV[5]
local s_set = {'bytes', bytes, 'mseq', mseq}
for i, field in ipairs({'itok', 'otok', 'ctok', 'cost'}) do
    fields_add(s_set, field, (tonumber(had[5 + i]) or 0) + tonumber(ARGV[8 + i]) - (tonumber(before[i]) or 0))
end
t.state, t.le, t.ls = state, epoch, last
t.lease = now + (state == 'running' and tonumber(ARGV[13]) or 0)
local t_set = {'state', state, 'le', epoch, 'ls', last, 'sealed', id, 'lease', t.lease, 'step', ARGV[7],
               'attempt', ARGV[8], 'itok', ARGV[9], 'otok', ARGV[10], 'ctok', ARGV[11], 'cost', ARGV[12], 'ev', ev}
if before[7] and before[6] ~= ARGV[7] then
    fields_add(t_set, 'deaths', 0) -- it got past what may have killed them
end
local life = tonumber(had[3] and 0 or had[2] or ARGV[14])
if not turn_open(t) then
    expire(life, S, M, F, L)
    turn_end(now, S, T, E, tid, ARGV[15], ev, life, s_set, t_set)
    return {'ok', turn_answer(t, now), owner, now}
end
expire(life, S, M, F, L, T, E)
redis.call('HSET', T, unpack(t_set))
if state ~= 'awaiting' then
    redis.call('HSET', S, unpack(s_set))
    return {'ok', turn_answer(t, now), owner, tonumber(had[10]) or 0}
end
local asked = asked_read(T)
for i = 20, 19 + 2 * asks, 2 do
    local call, hash = ARGV[i], ARGV[i + 1]
    local known = asked[call]
    local reused = known and (known[3] == 1 or known[1] ~= hash)
    asked[call] = {hash, -1, reused and 1 or 0}
end
asked_write(T, asked)
t.wait = tonumber(ARGV[17])
redis.call('HSET', T, 'holder', '', 'wait', t.wait, 'asks', ARGV[18])
fields_add(s_set, 'updated', now)
redis.call('HSET', S, unpack(s_set))
return {'ok', turn_answer(t, now), owner, now}
