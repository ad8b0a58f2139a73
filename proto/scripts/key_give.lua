#!lua flags=allow-oom
-- K C. Gives a slot back; after a 429 nobody uses the key for a while.
-- slot, tokens a minute, tokens beyond what was asked for, block.
local K, C = unpack(KEYS)
local per_minute, more, block = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREM', C, ARGV[1])
local v = redis.call('HMGET', K, 'blocked', 'tat')
if per_minute > 0 and more ~= 0 and v[2] then
    redis.call('HSET', K, 'tat', string.format('%.0f', v[2] + math.ceil(more * 66000 / per_minute)))
end
if block > 0 then
    local till = math.max(tonumber(v[1]) or 0, now_ms() + block)
    redis.call('HSET', K, 'blocked', string.format('%.0f', till))
    redis.call('PEXPIRE', K, block + 600000)
end
return {'ok', 0}
