#!lua flags=allow-oom
-- U. Adds to what one person did with one model on one day; beyond the most rows of a day they share one.
-- owner, model, rows at most, keep, then what is added.
local U, field = KEYS[1], ARGV[1] .. '\n' .. ARGV[2]
local had = redis.call('HGET', U, field)
if not had and redis.call('HLEN', U) >= tonumber(ARGV[3]) then
    field = '\n'
    had = redis.call('HGET', U, field)
end
local sums, i = {}, 5
for n in string.gmatch(had or '', '%d+') do
    sums[#sums + 1] = tonumber(n)
end
while ARGV[i] do
    sums[i - 4] = string.format('%.0f', math.max(0, (sums[i - 4] or 0) + ARGV[i]))
    i = i + 1
end
redis.call('HSET', U, field, table.concat(sums, ' '))
expire(ARGV[4], U)
return {'ok'}
