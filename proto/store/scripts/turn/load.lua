#!lua flags=allow-oom
-- S M F L T E. A page of the conversation for a worker; with the last one it takes the lease. -> messages {id,
-- record, ...}, flags {id, flags, ...}, up to which message the page went, and all pages go, revision of the
-- messages; of the last page also session, load, {call id, hash, decision (2: approved, and it began already), ...}
-- of the calls that the person was asked about, the session's bytes.
-- epoch, holder, lease, prefix of the turns' keys, after, up to (0: to the last one now), bytes.
local S, M, F, L, T = unpack(KEYS)
local epoch, holder = tonumber(ARGV[1]), ARGV[2]
local t = turn_read(T)
if not t or redis.call('EXISTS', S) == 0 then
    return {'fenced'}
end
if epoch > t.epoch then
    return {'history_lost'}
end
if t.state ~= 'running' or epoch < t.epoch then
    return {'fenced'}
end
local upto = tonumber(ARGV[6])
if upto == 0 then
    upto = tonumber(redis.call('HGET', S, 'mseq')) or 0
end
local messages, flags, went = messages_page(M, F, tonumber(ARGV[5]), upto, tonumber(ARGV[7]))
local revision = tonumber(redis.call('HGET', S, 'mrev')) or 0
if went < upto then
    return {'ok', messages, flags, went, upto, revision}
end
local v = redis.call('HMGET', T, 'req', 'step', 'attempt', 'begun', 'itok', 'otok', 'ctok', 'cost', 'loaded', 'loader',
                     'place')
local attempt = tonumber(v[3]) or 0
if tonumber(v[9]) ~= epoch then -- once an epoch: the step is tried again
    -- Behind a loss (the epoch is that much higher) attempts may have been seen that are not known.
    attempt = attempt + (epoch - (tonumber(v[9]) or 0) >= 16 and 16 or 1)
    redis.call('HSET', T, 'loaded', epoch, 'loader', holder, 'attempt', attempt)
elseif v[10] ~= holder then
    return {'fenced'} -- one epoch, one worker
end
local now = now_ms()
-- It stores from here on where it left off, or is told of a loss: what is there is whole.
redis.call('HSET', T, 'lease', now + tonumber(ARGV[3]), 'holder', holder, 'sound', (replid()))
local load = {v[1] or '', turn_seq(t), tonumber(v[2]) or 0, attempt, tonumber(v[4]) or 0,
              tonumber(v[5]) or 0, tonumber(v[6]) or 0, tonumber(v[7]) or 0, tonumber(v[8]) or 0,
              t.cancel and 1 or 0, now, v[11] or ''}
local session = session_answer(S, ARGV[4], now, true)
return {'ok', messages, flags, went, upto, revision, session, load, decisions_read(S, T), session_bytes(S)}
