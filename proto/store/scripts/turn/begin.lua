#!lua
-- S M F L T E K. Accepts a turn. -> turn, its id, duplicate, when, opening; or turn_running and the open
-- turn's id.
-- owner, turn, idempotency key's hash (or ''), its life, title, message, request, batch of event
-- 1-1, holder, lease, keep, most messages, most bytes, prefix of the turns' keys, hash of what is asked
-- for (or ''): with another one than the key came with before it is idempotency_mismatch; the question that this
-- one is another version of (or ''); the worker that is to run it, which has it then as if it had
-- loaded it (or ''); up to how many bytes of messages the opening is wanted.
-- opening: what turn/load would answer that worker now, in MessagePack; or '': it loads.
-- Durable.
local S, M, F, L, T, E, K = unpack(KEYS)
local owner, tid, key, key_ms, title, message, request, batch, holder = unpack(ARGV)
local body, instead_of, worker, opening_max = ARGV[15], ARGV[16], ARGV[17], tonumber(ARGV[18])
local lease, keep, prefix = tonumber(ARGV[10]), ARGV[11], ARGV[14]
local messages_max, bytes_max = tonumber(ARGV[12]), tonumber(ARGV[13])
local s = redis.call('HMGET', S, 'owner', 'running', 'bytes', 'title', 'life', 'keep', 'mseq', 'turns')
if s[1] ~= owner then
    return {'session_not_found'}
end
local now = now_ms()
local state = redis.call('HGET', T, 'state')
if state == 'void' then
    return {'store_unavailable'} -- it came a minute late: no janitor would look after it
end
if state then -- sent again
    return {'ok', turn_answer(turn_read(T), now), tid, 0, listed(S, updated(S)), ''}
end
if key ~= '' then
    local before = redis.call('GET', K)
    local t = before and turn_read(prefix .. before)
    if t and body ~= '' and body ~= (redis.call('HGET', prefix .. before, 'body') or body) then
        return {'idempotency_mismatch'}
    end
    if t then
        redis.call('HSET', prefix .. before, 'told', 1) -- turn_undo lets it be
        return {'ok', turn_answer(t, now), before, 1, listed(S, updated(S)), ''}
    end
end
local running = s[2] or ''
if running ~= '' then
    local t = turn_read(prefix .. running)
    if t and turn_open(t) then
        return {'turn_running', running}
    end
end
if instead_of ~= '' and not is_question(M, instead_of) then
    return {'message_not_found'}
end
local bytes, last = tonumber(s[3]) or 0, tonumber(s[7] or 0)
if not last then
    return redis.error_reply('ERR mseq is no number') -- the message would be put over another one
end
if redis.call('HLEN', M) >= messages_max or bytes + #message > bytes_max then
    return {'session_full'}
end

redis.call('XADD', E, '1-1', 'e', batch)
local first = last + 1
if instead_of ~= '' then
    version_add(S, M, instead_of, first)
end
redis.call('HSET', M, first, message)
local run, history = identity()
local t = {state = 'running', epoch = 1, le = 1, ls = 1, lease = now + lease, holder = holder,
           cancel = false, sealed = '', wait = 0, loss_epoch = 0}
local t_set = {'state', t.state, 'epoch', 1, 'le', 1, 'ls', 1, 'lease', t.lease, 'step', 1, 'begun', now,
               'first', first, 'req', request, 'key', key, 'ev', #batch, 'run', run, 'sound', history}
local given = worker ~= ''
if given then
    t.holder = worker
    fields_add(t_set, 'loaded', 1, 'loader', worker, 'given', 1)
end
fields_add(t_set, 'holder', t.holder, 'attempt', given and 1 or 0)
if body ~= '' then
    fields_add(t_set, 'body', body)
end
redis.call('HSET', T, unpack(t_set))
redis.call('ZADD', L, now, tid)
redis.call('HSET', S, 'bytes', bytes + #message, 'mseq', first, 'turns', (tonumber(s[8]) or 0) + 1,
           'running', tid, 'updated', now, 'title', (s[4] or '') == '' and title or s[4])
if key ~= '' then
    redis.call('SET', K, tid, 'PX', key_ms)
end
expire(s[6] and 0 or s[5] or keep, S, M, F, L, T, E)
local opening = ''
if given and bytes + #message <= opening_max then
    local messages, flags, went = messages_page(M, F, 0, first, opening_max)
    if went == first then
        local session = session_answer(S, prefix, now, true, {tid, t})
        local revision = session[20]
        opening = cmsgpack.pack({'ok', messages, flags, went, first, revision, session,
                                 {request, 1, 1, 1, now, 0, 0, 0, 0, 0, now, ''},
                                 decisions_read(S, T), session_bytes(S)})
    end
end
return {'ok', turn_answer(t, now), tid, 0, s[5] and 0 or now, opening}
