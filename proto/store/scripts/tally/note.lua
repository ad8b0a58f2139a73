#!lua flags=allow-oom
-- U. Adds to what people did on one day; beyond the most rows of a day they share one.
-- rows at most, keep, counters of a row, then owner, model and what is added of each.
local U, rows_max, counters = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[3])
for at = 4, #ARGV, counters + 2 do
    local field = ARGV[at] .. '\n' .. ARGV[at + 1]
    local had = redis.call('HGET', U, field)
    if not had and redis.call('HLEN', U) >= rows_max then
        field = '\n'
        had = redis.call('HGET', U, field)
    end
    local sums = {}
    for n in string.gmatch(had or '', '%d+') do
        sums[#sums + 1] = tonumber(n)
    end
    for i = 1, counters do
        sums[i] = string.format('%.0f', math.max(0, (sums[i] or 0) + ARGV[at + 1 + i]))
    end
    redis.call('HSET', U, field, table.concat(sums, ' '))
end
expire(ARGV[2], U)
return {'ok'}
