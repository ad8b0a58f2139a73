#!lua flags=allow-oom
-- S M F L T E. The person's decision on the calls that a turn awaits: it is taken for its next
-- epoch, by the first who decides. -> turn, whether this request was the one, owner, when.
-- owner, turn, this request, holder, lease, batch of the event that ends it when the time is over,
-- events' keep, its place among its person's turns (or ''), 1: there is none for it, so that nothing new is
-- decided, (call id, 1 or 0, hash or '') of each.
-- Durable.
local S, M, F, L, T, E = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local t = turn_read(T)
if not t then
    return {redis.call('ZSCORE', L, ARGV[2]) and 'turn_over' or 'turn_not_found'}
end
local now, asked, given = now_ms(), asked_read(T), (#ARGV - 9) / 3
local unknown, contrary, fresh = false, false, 0
for i = 10, #ARGV, 3 do
    local a, yes, hash = asked[ARGV[i]], tonumber(ARGV[i + 1]), ARGV[i + 2]
    -- Where the id had meant another call before, only the hash tells which one is meant.
    if not a or (hash ~= a[1] and (hash ~= '' or a[3] == 1)) then
        unknown = true
    elseif a[2] == -1 then
        a[2], fresh = yes, fresh + 1
    elseif a[2] ~= yes then
        contrary = true
    end
end
if given > 0 and not unknown and not contrary and fresh == 0 then -- as it was decided before
    local mine = redis.call('HMGET', T, 'decider', 'decided')
    local again = t.state == 'running' and mine[1] == ARGV[3] and tonumber(mine[2]) == t.epoch
    return {'ok', turn_answer(t, now), again and 1 or 0, ARGV[1], updated(S)}
end
if contrary then
    return {'already_decided'}
end
if t.state ~= 'awaiting' then
    if redis.call('HGET', T, 'why') == 'decision_expired' then
        return {'decision_expired'}
    end
    return {turn_open(t) and 'not_awaiting' or 'turn_over'}
end
if t.wait <= now then
    turn_stop(t, now, S, T, E, ARGV[2], 0, 'failed', 'decision_expired', ARGV[6], ARGV[7])
    return {'decision_expired', turn_answer(t, now), 0, ARGV[1], updated(S)}
end
for _, a in pairs(asked) do
    unknown = unknown or a[2] == -1
end
if unknown then
    return {'invalid'} -- of a call that nobody asked about, or not of all
end
if ARGV[9] == '1' then
    return {'rate_limited'}
end
asked_write(T, asked)
sources_grant(S, asked)
t.state, t.epoch, t.lease = 'running', turn_next(t, T, 0), now + tonumber(ARGV[5])
redis.call('HSET', T, 'state', t.state, 'epoch', t.epoch, 'lease', t.lease, 'holder', ARGV[4],
           'claimer', ARGV[4], 'decider', ARGV[3], 'decided', t.epoch)
if ARGV[8] ~= '' then
    redis.call('HSET', T, 'place', ARGV[8])
end
redis.call('HDEL', T, 'asks', 'wait')
redis.call('HSET', S, 'updated', now)
return {'ok', turn_answer(t, now), 1, ARGV[1], now}
