#!lua
-- S M F L. Messages of a session that is not made yet: a copy's. They go by themselves when it isn't.
-- how long they wait for it, then (message id, message, flags) of each.
local S, M, F = unpack(KEYS)
for i = 2, #ARGV, 3 do
    redis.call('HSET', M, ARGV[i], ARGV[i + 1])
    if ARGV[i + 2] ~= '' then
        redis.call('HSET', F, ARGV[i], ARGV[i + 2])
    end
end
expire(ARGV[1], M, F)
return {'ok'}
