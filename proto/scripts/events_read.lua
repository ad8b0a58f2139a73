#!lua flags=no-writes
-- S M F L T E. The entries past an event, about as many bytes as asked for. -> turn, more, {id,
-- batch, ...}.
-- turn, after's epoch, after's seq, bytes.
local S, M, F, L, T, E = unpack(KEYS)
local epoch, seq, bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local wait = unsure(S)
if wait then
    return wait
end
local t = turn_read(T)
if not t then
    return {redis.call('ZSCORE', L, ARGV[1]) and 'events_expired' or 'turn_not_found'}
end
if redis.call('EXISTS', E) == 0 then
    return {turn_open(t) and 'history_lost' or 'events_expired'}
end
local ahead = epoch > t.le or (epoch == t.le and seq > t.ls)
if epoch > t.epoch or (ahead and t.state ~= 'running') then
    return {'history_lost'}
end
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
return {'ok', turn_answer(t, now_ms()), more, entries}
