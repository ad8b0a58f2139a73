#!lua flags=allow-oom
-- K. Lifts what refusals have blocked, and forgets how fast it may go. -> ms that were left.
local left = (tonumber(redis.call('HGET', KEYS[1], 'blocked')) or 0) - now_ms()
redis.call('HDEL', KEYS[1], 'blocked', 'pace', 'paced', 'rat', 'tat')
return {'ok', math.max(0, left)}
