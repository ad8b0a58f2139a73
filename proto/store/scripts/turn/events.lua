#!lua flags=no-writes
-- S M F L T E. The entries past an event, about as many bytes as asked for. -> turn, more, {id,
-- batch, ...}, whether what the reader has seen may be lost.
-- turn, after's epoch, after's seq, bytes.
local S, M, F, L, T, E = unpack(KEYS)
local epoch, seq, bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local wait = unsure(S)
if wait then
    return wait
end
local t = turn_read(T)
if not t then
    if redis.call('ZSCORE', L, ARGV[1]) then
        return {'events_expired'}
    end
    -- A session knows all its turns: one that it does not know and that was read from is lost.
    return {redis.call('EXISTS', S) == 1 and seq > 0 and 'history_lost' or 'turn_not_found'}
end
if redis.call('EXISTS', E) == 0 then
    return {turn_open(t) and 'history_lost' or 'events_expired'}
end
local function past(e, s)
    return epoch > e or (epoch == e and seq > s)
end
local more_of = redis.call('HMGET', T, 'torn', 'sound')
local loss_from = {string.match(more_of[1] or '', '^(%d+)-(%d+)$')}
local ahead = past(t.le, t.ls)
if epoch > t.epoch or (ahead and t.state ~= 'running') or
   (loss_from[1] and epoch < t.loss_epoch and past(tonumber(loss_from[1]), tonumber(loss_from[2]))) then
    return {'history_lost'}
end
-- Ahead of a replica that was promoted: either the worker will store in a moment what it has said,
-- or it is lost.
local suspect = ahead and epoch == t.epoch and promoted_since(more_of[2]) and 1 or 0
local from, entries, more = string.format('(%d-%d', epoch, seq), {}, 0
while bytes > 0 do
    local page = redis.call('XRANGE', E, from, '+', 'COUNT', 16)
    for _, entry in ipairs(page) do
        if bytes <= 0 then
            more = 1
            break
        end
        entries[#entries + 1], entries[#entries + 2] = entry[1], entry[2][2]
        bytes = bytes - #entry[2][2]
        from = '(' .. entry[1]
    end
    if #page < 16 then
        break
    end
    if bytes <= 0 then
        more = 1
    end
end
return {'ok', turn_answer(t, now_ms()), more, entries, suspect}
