#!lua flags=allow-oom
-- S M F L T E K. A turn that was begun and could not be copied to enough replicas: as if it had never
-- been, since its client was told so. Not when somebody has been told of it meanwhile (its key was
-- sent again), or it runs. The worker that its begin gave it to has not got it: that begin was not
-- answered. The id is void: a begin that was on its way does not bring it back.
-- turn, how long to remember that.
local S, M, F, L, T, E, K = unpack(KEYS)
local t, more = turn_read(T), redis.call('HMGET', T, 'told', 'loaded', 'first', 'given')
if redis.call('EXISTS', S) == 0 then
    return {'ok'} -- with its session all of it is gone
end
if t and (t.state ~= 'running' or t.epoch ~= 1 or more[1] or more[2] and not more[4]) then
    return {'turn_running'}
end
if t then
    redis.call('HINCRBY', S, 'bytes', -redis.call('HSTRLEN', M, more[3]))
    redis.call('HINCRBY', S, 'turns', -1)
    redis.call('HDEL', M, more[3])
    version_drop(S, M, more[3])
    redis.call('ZREM', L, ARGV[1])
    if redis.call('HGET', S, 'running') == ARGV[1] then
        redis.call('HSET', S, 'running', '')
    end
    if redis.call('GET', K) == ARGV[1] then
        redis.call('DEL', K)
    end
end
redis.call('DEL', T, E)
redis.call('HSET', T, 'state', 'void')
redis.call('PEXPIRE', T, ARGV[2])
return {'ok'}
