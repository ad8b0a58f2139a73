#!lua flags=allow-oom
-- Q. What a session has now; 0: it is gone.
-- session, bytes, keep, whether it was another owner's until now (1).
storage_note(KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1')
return {'ok'}
