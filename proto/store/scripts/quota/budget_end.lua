#!lua flags=allow-oom
-- B. What was reserved becomes what was used.
-- reservation, tokens, cost, turn.
local B, r = KEYS[1], 'r:' .. ARGV[1]
local tokens, cost = string.match(redis.call('HGET', B, r) or '', '^(%d+) (%d+)$')
if tokens then
    redis.call('HDEL', B, r)
    redis.call('HINCRBY', B, 'tokens', ARGV[2] - tokens)
    redis.call('HINCRBY', B, 'cost', ARGV[3] - cost)
    redis.call('HINCRBY', B, 'c:' .. ARGV[4], ARGV[3] - cost)
end
return {'ok', 0}
