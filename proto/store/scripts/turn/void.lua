#!lua
-- S M F L T E. A turn that a list names and that never began: makes sure that it never will, so
-- the list can forget it.
-- how long to remember that.
local S, T = KEYS[1], KEYS[5]
if redis.call('EXISTS', S, T) == 0 then
    return {'ok'} -- its session is gone: nothing begins in it, and nothing of it is to be left
end
if redis.call('EXISTS', T) == 1 and redis.call('HGET', T, 'state') ~= 'void' then
    return {'turn_running'}
end
redis.call('HSET', T, 'state', 'void')
redis.call('PEXPIRE', T, ARGV[1])
return {'ok'}
