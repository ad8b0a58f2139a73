#!lua
-- B. Reserves a step's tokens and cost of a day's budget, unless it is used up. -> verdict (quota_verdict).
-- reservation, tokens, cost, most tokens, most cost, turn, the turn's most cost, keep.
local B = KEYS[1]
local id, tokens, cost, turn = ARGV[1], ARGV[2], ARGV[3], 'c:' .. ARGV[6]
if redis.call('HEXISTS', B, 'r:' .. id) == 1 then -- sent again
    return {'ok', 0}
end
local used = redis.call('HMGET', B, 'tokens', 'cost', turn)
for i, most in ipairs({ARGV[4], ARGV[5], ARGV[7]}) do
    if tonumber(most) > 0 and (tonumber(used[i]) or 0) >= tonumber(most) then
        return {'ok', i} -- TOKENS, COST, TURN_COST
    end
end
redis.call('HSET', B, 'r:' .. id, tokens .. ' ' .. cost)
redis.call('HINCRBY', B, 'tokens', tokens)
redis.call('HINCRBY', B, 'cost', cost)
redis.call('HINCRBY', B, turn, cost)
redis.call('PEXPIRE', B, ARGV[8])
return {'ok', 0}
