#!lua
-- T. Approved calls begin which must not be done twice: whoever has the turn next is told that they began. The same
-- again of the same worker is fine. -> turn.
-- epoch, holder, call ids...
-- Durable.
local T = KEYS[1]
local t, loaded = turn_read(T), redis.call('HMGET', T, 'loaded', 'loader')
if not t or t.state ~= 'running' or t.epoch ~= tonumber(ARGV[1]) or tonumber(loaded[1]) ~= t.epoch or
   loaded[2] ~= ARGV[2] then
    return {'fenced'}
end
local asked = asked_read(T)
for i = 3, #ARGV do
    local a = asked[ARGV[i]]
    if a then
        a[4] = t.epoch
    end
end
asked_write(T, asked)
return {'ok', turn_answer(t, now_ms())}
